#include "workers/engine/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/engine_test_model.h"
#include "workers/quant/codec_list.h"

namespace quantd {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class ScheduleTest : public EngineTestModel {
 protected:
  void SetUp() override { Open(); }

  size_t Index(TensorRole role) const {
    for (size_t i = 0; i < model_.tensors.size(); ++i) {
      if (model_.tensors[i].role == role) return i;
    }
    ADD_FAILURE();
    return 0;
  }

  // An output tensor of these slices of F32 weights.
  OutputTensor Output(const std::string& name, std::vector<SourceSlice> slices) const {
    OutputTensor output;
    output.name = name;
    output.codec = quant::FindCodec("F32");
    int64_t rows = 0;
    for (const SourceSlice& slice : slices) rows += slice.rows;
    output.shape = {rows, model_.tensors[slices[0].tensor].source.columns()};
    output.sources = std::move(slices);
    return output;
  }

  absl::StatusOr<std::vector<Segment>> Schedule(std::vector<OutputTensor> tensors) {
    plan_.tensors = std::move(tensors);
    const OutputPlan* plans[] = {&plan_};
    return MakeSchedule(model_, plans);
  }

  // The segments of one source tensor.
  static std::vector<Segment> Of(const std::vector<Segment>& schedule, size_t source) {
    std::vector<Segment> found;
    for (const Segment& segment : schedule) {
      if (segment.source == source) found.push_back(segment);
    }
    return found;
  }

  OutputPlan plan_;
};

TEST_F(ScheduleTest, ReadsWhatNobodyTakes) {
  const auto schedule = Schedule({});
  ASSERT_TRUE(schedule.ok());
  EXPECT_THAT(*schedule, SizeIs(model_.tensors.size()));
  for (const Segment& segment : *schedule) {
    EXPECT_EQ(segment.rows, model_.tensors[segment.source].source.rows());
    EXPECT_THAT(segment.routes, IsEmpty());
  }
}

TEST_F(ScheduleTest, JoinsQueryKeyAndValue) {
  const size_t query = Index(TensorRole::kAttentionQuery);
  const auto schedule = Schedule({Output("qkv", {{query, 0, 64}, {query + 1, 0, 32}, {query + 2, 0, 32}})});
  ASSERT_TRUE(schedule.ok()) << schedule.status();
  const Route q = Of(*schedule, query)[0].routes[0], k = Of(*schedule, query + 1)[0].routes[0],
              v = Of(*schedule, query + 2)[0].routes[0];
  EXPECT_EQ(q.output_row, 0);
  EXPECT_EQ(k.output_row, 64);
  EXPECT_EQ(v.output_row, 96);
  EXPECT_FALSE(q.ends_tensor || k.ends_tensor);
  EXPECT_TRUE(v.ends_tensor);
}

TEST_F(ScheduleTest, SplitsATensorAtItsSlices) {
  const size_t gate = Index(TensorRole::kFeedForwardGate);
  const auto schedule = Schedule({Output("first", {{gate, 0, 40}}), Output("rest", {{gate, 40, 56}})});
  ASSERT_TRUE(schedule.ok()) << schedule.status();
  const std::vector<Segment> segments = Of(*schedule, gate);
  ASSERT_THAT(segments, SizeIs(2));
  EXPECT_EQ(segments[0].rows, 40);
  EXPECT_EQ(segments[0].routes[0].tensor, 0u);
  EXPECT_EQ(segments[1].first_row, 40);
  EXPECT_EQ(segments[1].rows, 56);
  EXPECT_EQ(segments[1].routes[0].tensor, 1u);
  EXPECT_TRUE(segments[0].routes[0].ends_tensor && segments[1].routes[0].ends_tensor);
}

TEST_F(ScheduleTest, KeepsHeadsWholeInTiles) {
  const size_t query = Index(TensorRole::kAttentionQuery);
  OutputTensor output = Output("q", {{query, 0, 64, RowOrder::kHalvesToPairs}});
  output.rows_per_head = 48;
  const auto schedule = Schedule({output});
  ASSERT_TRUE(schedule.ok());
  EXPECT_EQ(Of(*schedule, query)[0].tile_rows % 48, 0);
}

TEST_F(ScheduleTest, RefusesPlansThatDoNotFollowTheModelsOrder) {
  const size_t query = Index(TensorRole::kAttentionQuery), gate = Index(TensorRole::kFeedForwardGate);
  for (const auto& tensors : std::vector<std::vector<OutputTensor>>{
           {Output("late", {{gate, 0, 96}}), Output("early", {{query, 0, 64}})},
           {Output("crossed", {{query + 1, 0, 32}, {query, 0, 64}})},
           {Output("both", {{gate, 0, 96}}), Output("again", {{gate, 0, 96}})}}) {
    const absl::Status status = Schedule(tensors).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInternal);
    EXPECT_THAT(std::string(status.message()), HasSubstr("order of the model's tensors"));
  }
}

}  // namespace
}  // namespace quantd
