// Ids that callers bring along.
#include "server/rpc/trace_context.h"

#include <gtest/gtest.h>

namespace quantd {
namespace {

constexpr char kTrace[] = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr char kSpan[] = "00f067aa0ba902b7";

std::string TraceParent(const std::string& version, const std::string& trace, const std::string& span,
                        const std::string& rest) {
  return version + "-" + trace + "-" + span + "-" + rest;
}

TEST(TraceParent, IdsOfThisAndLaterVersions) {
  for (const std::string& text :
       {TraceParent("00", kTrace, kSpan, "01"), TraceParent("00", kTrace, kSpan, "00"),
        TraceParent("cc", kTrace, kSpan, "01-later")}) {
    RequestIds ids;
    EXPECT_TRUE(ParseTraceParent(text, ids)) << text;
    EXPECT_EQ(ids.trace_id, kTrace);
    EXPECT_EQ(ids.span_id, kSpan);
  }
}

TEST(TraceParent, OtherFormsAreNone) {
  const std::string upper = "4BF92F3577B34DA6A3CE929D0E0E4736";
  for (const std::string& text :
       {std::string(), std::string("00"), TraceParent("00", kTrace, kSpan, "0"),
        TraceParent("00", kTrace, kSpan, "01-more"), TraceParent("ff", kTrace, kSpan, "01"),
        TraceParent("0x", kTrace, kSpan, "01"), TraceParent("00", upper, kSpan, "01"),
        TraceParent("00", std::string(32, '0'), kSpan, "01"),
        TraceParent("00", kTrace, std::string(16, '0'), "01"), TraceParent("00", kTrace, kSpan, "zz"),
        TraceParent("cc", kTrace, kSpan, "01later")}) {
    RequestIds ids;
    EXPECT_FALSE(ParseTraceParent(text, ids)) << text;
    EXPECT_EQ(ids.trace_id, "");
  }
}

TEST(RequestId, WhatCanStandInALog) {
  for (const char* text : {"a", "7f3c-22", "job:17/3", "A_b.c~d+e=f@g"})
    EXPECT_TRUE(IsRequestId(text)) << text;
  EXPECT_TRUE(IsRequestId(std::string(128, 'x')));
  for (const char* text : {"", "a b", "a\"b", "a\nb", "\xc3\xa4", "a;b"})
    EXPECT_FALSE(IsRequestId(text)) << text;
  EXPECT_FALSE(IsRequestId(std::string(129, 'x')));
}

}  // namespace
}  // namespace quantd
