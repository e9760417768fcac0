#include "workers/formats/safetensors_reader.h"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/checked_math.h"
#include "base/relative_path.h"
#include "base/status.h"
#include "workers/quant/codec_list.h"

namespace quantd {
namespace {

// The format's own limit (huggingface/safetensors).
constexpr uint64_t kMostHeaderBytes = 100'000'000;
constexpr size_t kMostDimensions = 8;
constexpr char kIndexFile[] = "model.safetensors.index.json";

absl::StatusOr<std::vector<int64_t>> ReadShape(const Json& entry) {
  auto shape = entry.find("shape");
  if (shape == entry.end() || !shape->is_array()) return absl::InvalidArgumentError("has no shape");
  if (shape->size() > kMostDimensions) return absl::InvalidArgumentError("has more than 8 dimensions");
  std::vector<int64_t> dimensions;
  for (const Json& dimension : *shape) {
    if (!dimension.is_number_unsigned() || dimension.get<uint64_t>() > uint64_t{INT64_MAX}) {
      return absl::InvalidArgumentError("has a dimension that is no whole number");
    }
    dimensions.push_back(dimension.get<int64_t>());
  }
  return dimensions;
}

struct Extent {
  uint64_t begin;
  uint64_t end;
};

absl::StatusOr<Extent> ReadExtent(const Json& entry, uint64_t data_bytes) {
  auto offsets = entry.find("data_offsets");
  if (offsets == entry.end() || !offsets->is_array() || offsets->size() != 2 ||
      !(*offsets)[0].is_number_unsigned() || !(*offsets)[1].is_number_unsigned()) {
    return absl::InvalidArgumentError("has no data_offsets");
  }
  const Extent extent{(*offsets)[0].get<uint64_t>(), (*offsets)[1].get<uint64_t>()};
  if (extent.begin > extent.end || extent.end > data_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("has bytes ", extent.begin, "…", extent.end, ", but the file holds ", data_bytes));
  }
  return extent;
}

// Bytes of one value of a dtype; 0 when it is unknown.
int64_t DtypeBytes(std::string_view dtype) {
  constexpr std::pair<std::string_view, int64_t> kDtypes[] = {
      {"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8},  {"I32", 4},     {"I16", 2},    {"I8", 1},
      {"U64", 8}, {"U32", 4}, {"U16", 2}, {"U8", 1},   {"BOOL", 1}, {"F8_E4M3", 1}, {"F8_E5M2", 1}};
  for (const auto& [name, bytes] : kDtypes) {
    if (name == dtype) return bytes;
  }
  return 0;
}

absl::StatusOr<StoredTensor> ReadEntry(const std::string& name, const Json& entry, uint64_t data_begin,
                                       uint64_t data_bytes) {
  if (!entry.is_object()) return absl::InvalidArgumentError("is not described by an object");
  auto dtype = entry.find("dtype");
  if (dtype == entry.end() || !dtype->is_string()) return absl::InvalidArgumentError("has no dtype");
  StoredTensor tensor;
  tensor.name = name;
  tensor.type = dtype->get<std::string>();
  const int64_t value_bytes = DtypeBytes(tensor.type);
  if (value_bytes == 0)
    return absl::InvalidArgumentError(absl::StrCat("has the unknown dtype ", tensor.type));
  ASSIGN_OR_RETURN(tensor.shape, ReadShape(entry));
  ASSIGN_OR_RETURN(int64_t elements, ElementCount(tensor.shape));
  ASSIGN_OR_RETURN(int64_t bytes, CheckedMul(elements, value_bytes));
  ASSIGN_OR_RETURN(Extent extent, ReadExtent(entry, data_bytes));
  tensor.bytes = extent.end - extent.begin;
  if (tensor.bytes != static_cast<uint64_t>(bytes)) {
    return absl::InvalidArgumentError(
        absl::StrCat("has ", tensor.bytes, " bytes, but its shape and dtype need ", bytes));
  }
  tensor.offset = data_begin + extent.begin;
  return tensor;
}

absl::Status CheckCoverage(const std::vector<StoredTensor>& tensors, uint64_t data_begin,
                           uint64_t file_size) {
  uint64_t position = data_begin;
  for (const StoredTensor& tensor : tensors) {
    if (tensor.offset < position)
      return absl::InvalidArgumentError(absl::StrCat("tensor ", tensor.name, " overlaps another"));
    if (tensor.offset > position) {
      return absl::InvalidArgumentError(absl::StrCat("there are unused bytes before tensor ", tensor.name));
    }
    position += tensor.bytes;
  }
  if (position != file_size) {
    return absl::InvalidArgumentError(
        absl::StrCat("the file has ", file_size, " bytes, its tensors end at ", position));
  }
  return absl::OkStatus();
}

// Names that occur twice are lost in a parsed object, so they are looked for while the header is parsed.
absl::Status RefuseDuplicateNames(const std::string& header) {
  std::set<std::string> names;
  std::string twice;
  Json::parser_callback_t callback = [&](int depth, Json::parse_event_t event, Json& parsed) {
    if (event == Json::parse_event_t::key && depth == 1 && !names.insert(parsed.get<std::string>()).second) {
      twice = parsed.get<std::string>();
    }
    return depth < 1 || event == Json::parse_event_t::key;
  };
  const Json ignored = Json::parse(header, callback, /*allow_exceptions=*/false);
  if (!twice.empty())
    return absl::InvalidArgumentError(absl::StrCat("tensor ", twice, " is described twice"));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<StoredTensor>> ReadSafetensorsHeader(const RandomAccessFile& file) {
  std::array<std::byte, 8> prefix;
  if (file.size() < prefix.size()) return absl::InvalidArgumentError("the file is too short for a header");
  RETURN_IF_ERROR(file.ReadAt(0, prefix));
  const uint64_t header_bytes = std::bit_cast<uint64_t>(prefix);
  if (header_bytes > file.size() - prefix.size()) {
    return absl::InvalidArgumentError(absl::StrCat("the header's length, ", header_bytes,
                                                   ", passes the end of the file (", file.size(), " bytes)"));
  }
  if (header_bytes > kMostHeaderBytes) return absl::InvalidArgumentError("the header is longer than 100 MB");
  std::string header(header_bytes, '\0');
  RETURN_IF_ERROR(file.ReadAt(prefix.size(), std::as_writable_bytes(std::span(header))));
  ASSIGN_OR_RETURN(Json json, ParseJson(header, "the header"));
  if (!json.is_object()) return absl::InvalidArgumentError("the header is not a JSON object");
  RETURN_IF_ERROR(RefuseDuplicateNames(header));

  const uint64_t data_begin = prefix.size() + header_bytes;
  std::vector<StoredTensor> tensors;
  for (const auto& [name, entry] : json.items()) {
    if (name == "__metadata__") continue;
    absl::StatusOr<StoredTensor> tensor = ReadEntry(name, entry, data_begin, file.size() - data_begin);
    if (!tensor.ok()) return Annotate(tensor.status(), absl::StrCat("tensor ", name));
    tensors.push_back(*std::move(tensor));
  }
  std::sort(tensors.begin(), tensors.end(), [](const StoredTensor& a, const StoredTensor& b) {
    return std::pair(a.offset, a.bytes) < std::pair(b.offset, b.bytes);
  });
  RETURN_IF_ERROR(CheckCoverage(tensors, data_begin, file.size()));
  return tensors;
}

namespace {

absl::StatusOr<SourceTensor> AsSource(StoredTensor stored) {
  SourceTensor tensor;
  const bool known = stored.type == "F32" || stored.type == "F16" || stored.type == "BF16";
  if (!known) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor ", stored.name, ": has dtype ", stored.type, "; known are F32, F16 and BF16"));
  }
  tensor.codec = quant::FindCodec(stored.type);
  tensor.name = std::move(stored.name);
  tensor.shape = std::move(stored.shape);
  tensor.offset = stored.offset;
  tensor.bytes = stored.bytes;
  return tensor;
}

// Tensor name to file, from the index.
absl::StatusOr<std::map<std::string, std::string>> ReadIndex(const CheckpointFiles& files) {
  ASSIGN_OR_RETURN(Json index, files.ReadJson(kIndexFile));
  auto weight_map = index.is_object() ? index.find("weight_map") : index.end();
  if (weight_map == index.end() || !weight_map->is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(kIndexFile, " has no weight_map"));
  }
  std::map<std::string, std::string> where;
  for (const auto& [name, path] : weight_map->items()) {
    if (!path.is_string())
      return absl::InvalidArgumentError(absl::StrCat(kIndexFile, ": ", name, " has no file"));
    const std::string file = path.get<std::string>();
    if (absl::Status status = CheckRelativePath(file); !status.ok()) return Annotate(status, kIndexFile);
    if (files.Find(file) == nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat(kIndexFile, " names the shard ", file, ", which is missing"));
    }
    where[name] = file;
  }
  return where;
}

absl::Status CheckAgainstIndex(const std::vector<SourceTensor>& tensors,
                               const std::map<std::string, std::string>& index) {
  std::map<std::string, std::string> found;
  for (const SourceTensor& tensor : tensors) found[tensor.name] = tensor.path;
  for (const auto& [name, path] : index) {
    auto at = found.find(name);
    if (at == found.end()) {
      return absl::InvalidArgumentError(absl::StrCat(kIndexFile, ": tensor ", name, " is not in ", path));
    }
    if (at->second != path) {
      return absl::InvalidArgumentError(
          absl::StrCat(kIndexFile, ": tensor ", name, " is in ", at->second, ", not in ", path));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<SourceTensor>> ReadSafetensorsFile(const CheckpointFiles& files,
                                                              const std::string& path) {
  const RandomAccessFile* file = files.Find(path);
  if (file == nullptr) return absl::NotFoundError(absl::StrCat("the checkpoint has no ", path));
  absl::StatusOr<std::vector<StoredTensor>> stored = ReadSafetensorsHeader(*file);
  if (!stored.ok()) return Annotate(stored.status(), path);
  std::vector<SourceTensor> tensors;
  for (StoredTensor& entry : *stored) {
    absl::StatusOr<SourceTensor> tensor = AsSource(std::move(entry));
    if (!tensor.ok()) return Annotate(tensor.status(), path);
    tensor->path = path;
    tensor->file = file;
    tensors.push_back(*std::move(tensor));
  }
  return tensors;
}

absl::StatusOr<std::vector<SourceTensor>> ReadSafetensorsCheckpoint(const CheckpointFiles& files) {
  std::map<std::string, std::string> index;
  std::set<std::string> shards;
  if (files.Find(kIndexFile) != nullptr) {
    ASSIGN_OR_RETURN(index, ReadIndex(files));
    for (const auto& [name, path] : index) shards.insert(path);
  } else {
    for (const std::string& path : files.Paths()) {
      if (absl::EndsWith(path, ".safetensors")) shards.insert(path);
    }
  }
  std::vector<SourceTensor> all;
  std::map<std::string, std::string> seen;
  for (const std::string& path : shards) {
    ASSIGN_OR_RETURN(std::vector<SourceTensor> tensors, ReadSafetensorsFile(files, path));
    for (SourceTensor& tensor : tensors) {
      auto [at, is_new] = seen.emplace(tensor.name, path);
      if (!is_new) {
        return absl::InvalidArgumentError(
            absl::StrCat("tensor ", tensor.name, " is both in ", at->second, " and in ", path));
      }
      all.push_back(std::move(tensor));
    }
  }
  if (all.empty()) return absl::InvalidArgumentError("the checkpoint has no tensors in *.safetensors files");
  RETURN_IF_ERROR(CheckAgainstIndex(all, index));
  return all;
}

}  // namespace quantd
