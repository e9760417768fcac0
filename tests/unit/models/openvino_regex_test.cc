// Oniguruma's regular expressions, which tokenizer.json has, as PCRE2's, which OpenVINO's tokenizer has.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "workers/models/targets/openvino/regex_dialect.h"

namespace quantd {
namespace {

using testing::HasSubstr;

std::string Translated(const std::string& expression) {
  const absl::StatusOr<std::string> pcre = ToPcre(expression);
  if (pcre.ok()) return *pcre;
  EXPECT_EQ(pcre.status().code(), absl::StatusCode::kFailedPrecondition) << pcre.status();
  return "refused";
}

TEST(RegexDialect, MostIsTheSame) {
  for (const char* expression :
       {R"([^\r\n\p{L}\p{N}]?\p{L}+)", R"(\p{N}{1,3})", R"(a|b*?|c++|\P{Lu}{2}|d{3,})", "(?i:'s|'t)",
        R"(x(?!y)(?=z)(?<=w)(?<!v)(?>u)(?:t)(s))", "[a-zé日]", R"(\[\]\(\)\.\+\-\/\|\{\})", R"(\x{3000}\A\z)",
        ""})
    EXPECT_EQ(Translated(expression), expression);
}

TEST(RegexDialect, WhiteSpaceIsUnicodes) {
  EXPECT_EQ(Translated(R"(\s+(?!\S))"), R"([\t-\r \x{85}\p{Z}]+(?![^\t-\r \x{85}\p{Z}]))");
  EXPECT_EQ(Translated(R"([^\s\p{L}])"), R"([^\t-\r \x{85}\p{Z}\p{L}])");
  EXPECT_EQ(Translated(R"([\s\S])"), R"([\t-\r \x{85}\p{Z}\S])");
}

TEST(RegexDialect, WordsTakeMarksAndConnectors) {
  EXPECT_THAT(Translated(R"(\w)"), HasSubstr(R"([\p{L}\p{M}\p{Nd})"));
  EXPECT_THAT(Translated(R"([^\w\s])"), HasSubstr(R"([^\p{L}\p{M}\p{Nd})"));
  EXPECT_THAT(Translated(R"(\W)"), HasSubstr(R"([^\p{L}\p{M}\p{Nd})"));
}

TEST(RegexDialect, LinesAreRubys) {
  EXPECT_EQ(Translated("^a.$"), R"((?m:^)a[^\n](?m:$))");
  EXPECT_EQ(Translated(R"(\v\u00e9)"), R"(\x{0b}\x{00e9})");
}

TEST(RegexDialect, RefusesWhatIsReadDifferently) {
  for (const char* expression : {R"(\h)",     R"(\1)",       R"(\R)",
                                 R"(\b)",     "(?<name>x)",  "(?i)x",
                                 "(?m:.)",    "(?#x)",       R"(\p{N}{1,3}+)",
                                 "a{2}?",     "a{,3}",       "a{",
                                 "{}",        "[[:alpha:]]", "[a&&b]",
                                 "[]a]",      R"([\S])",     R"([a\W])",
                                 R"(\p{^L})", R"(\pL)",      R"(\p{L)",
                                 R"(\p)",     R"(\x41)",     R"(\x{})",
                                 R"(\x{4)",   R"(\u12)",     R"(\é)",
                                 "\\",        "[a",          "(a",
                                 "a)",        "(?",          "[\\"})
    EXPECT_EQ(Translated(expression), "refused") << expression;
}

TEST(RegexDialect, QuotedTextsMatchThemselves) {
  EXPECT_EQ(QuoteForRegex("<|a_1|>"), R"(\<\|a_1\|\>)");
  EXPECT_EQ(QuoteForRegex("\xe2\x96\x81 \n"), "\xe2\x96\x81\\ \\\n");
}

}  // namespace
}  // namespace quantd
