#include "workers/formats/safetensors_writer.h"

#include <bit>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/json.h"
#include "base/status.h"
#include "workers/formats/plane_sequence.h"
#include "workers/formats/safetensors_reader.h"

namespace quantd {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr int64_t kMostShardBytes = int64_t{5} << 30;

// Tensors [begin, end) of the plan.
struct Shard {
  size_t begin;
  size_t end;
};

std::vector<Shard> MakeShards(const OutputPlan& plan) {
  std::vector<Shard> shards;
  int64_t bytes = 0;
  for (size_t t = 0; t < plan.tensors.size(); ++t) {
    const int64_t tensor_bytes = plan.tensors[t].bytes();
    if (shards.empty() || bytes + tensor_bytes > kMostShardBytes) {
      shards.push_back({t, t});
      bytes = 0;
    }
    shards.back().end = t + 1;
    bytes += tensor_bytes;
  }
  return shards;
}

class SafetensorsWriter final : public ModelWriter {
 public:
  SafetensorsWriter(const OutputPlan& plan, std::vector<std::vector<SafetensorsEntry>> entries,
                    std::string framework)
      : plan_(plan),
        entries_(std::move(entries)),
        framework_(std::move(framework)),
        shards_(MakeShards(plan)),
        planes_(plan, [this](size_t tensor, size_t, std::span<const std::byte> bytes) {
          return Write(tensor, bytes);
        }) {}

  std::vector<FileSize> Files() const override {
    std::vector<FileSize> files;
    for (size_t s = 0; s < shards_.size(); ++s) {
      int64_t bytes = static_cast<int64_t>(Header(shards_[s]).size());
      for (size_t t = shards_[s].begin; t < shards_[s].end; ++t) bytes += plan_.tensors[t].bytes();
      files.push_back({ShardPath(s), bytes});
    }
    if (shards_.size() > 1) files.push_back({kIndexPath, static_cast<int64_t>(Index().size())});
    return files;
  }

  absl::Status Begin(ArtifactSink& sink) override {
    sink_ = &sink;
    return BeginShard(0);
  }

  absl::Status Append(size_t tensor, size_t plane, std::span<const std::byte> bytes) override {
    return planes_.Append(tensor, plane, bytes);
  }

  absl::Status Finish() override {
    RETURN_IF_ERROR(planes_.Finish());
    RETURN_IF_ERROR(file_->Close());
    if (shards_.size() == 1) return absl::OkStatus();
    ASSIGN_OR_RETURN(std::unique_ptr<FileSink> index, sink_->Create(kIndexPath));
    const std::string json = Index();
    RETURN_IF_ERROR(index->Append(std::as_bytes(std::span(json))));
    return index->Close();
  }

  StoredTensor Describe(size_t tensor, size_t plane) const override {
    const SafetensorsEntry& entry = entries_[tensor][plane];
    return {entry.name, entry.dtype, entry.shape};
  }

  absl::StatusOr<std::vector<StoredTensor>> ReadBack(const std::string& path, const RandomAccessFile& file,
                                                     const OpenArtifactFile&) const override {
    if (!absl::EndsWith(path, ".safetensors")) return std::vector<StoredTensor>();
    return ReadSafetensorsHeader(file);
  }

 private:
  static constexpr char kIndexPath[] = "model.safetensors.index.json";

  std::string ShardPath(size_t shard) const {
    if (shards_.size() == 1) return "model.safetensors";
    return absl::StrFormat("model-%05d-of-%05d.safetensors", shard + 1, shards_.size());
  }

  std::string Header(const Shard& shard) const {
    Json header = {{"__metadata__", {{"format", framework_}}}};
    int64_t offset = 0;
    for (size_t t = shard.begin; t < shard.end; ++t) {
      for (size_t plane = 0; plane < entries_[t].size(); ++plane) {
        const SafetensorsEntry& entry = entries_[t][plane];
        const int64_t end = offset + plan_.tensors[t].PlaneBytes(plane);
        header[entry.name] = {
            {"dtype", entry.dtype}, {"shape", entry.shape}, {"data_offsets", {offset, end}}};
        offset = end;
      }
    }
    std::string json = header.dump();
    json.resize((json.size() + 7) / 8 * 8, ' ');
    const uint64_t length = json.size();
    return std::string(reinterpret_cast<const char*>(&length), sizeof(length)) + json;
  }

  std::string Index() const {
    Json weight_map = Json::object();
    for (size_t s = 0; s < shards_.size(); ++s) {
      for (size_t t = shards_[s].begin; t < shards_[s].end; ++t) {
        for (const SafetensorsEntry& entry : entries_[t]) weight_map[entry.name] = ShardPath(s);
      }
    }
    const Json index = {{"metadata", {{"total_size", plan_.TensorBytes()}}}, {"weight_map", weight_map}};
    return index.dump(4);
  }

  absl::Status BeginShard(size_t shard) {
    shard_ = shard;
    ASSIGN_OR_RETURN(file_, sink_->Create(ShardPath(shard)));
    const std::string header = Header(shards_[shard]);
    return file_->Append(std::as_bytes(std::span(header)));
  }

  absl::Status Write(size_t tensor, std::span<const std::byte> bytes) {
    if (tensor >= shards_[shard_].end) {
      RETURN_IF_ERROR(file_->Close());
      RETURN_IF_ERROR(BeginShard(shard_ + 1));
    }
    return file_->Append(bytes);
  }

  const OutputPlan& plan_;
  std::vector<std::vector<SafetensorsEntry>> entries_;
  std::string framework_;
  std::vector<Shard> shards_;
  ArtifactSink* sink_ = nullptr;
  std::unique_ptr<FileSink> file_;
  size_t shard_ = 0;
  PlaneSequence planes_;
};

}  // namespace

std::unique_ptr<ModelWriter> MakeSafetensorsWriter(const OutputPlan& plan,
                                                   std::vector<std::vector<SafetensorsEntry>> entries,
                                                   std::string framework) {
  return std::make_unique<SafetensorsWriter>(plan, std::move(entries), std::move(framework));
}

}  // namespace quantd
