// The text of an OpenVINO model.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "workers/formats/openvino_ir.h"
#include "workers/formats/stored_tensor.h"

namespace quantd {

// A port's shape is left out: readers infer it.
std::string WriteOpenVinoXml(const IrModel& model);

// The constants that such a text names, in its order: name, element type ("u4"), shape, offset and size.
// INVALID_ARGUMENT where the text is no XML or a constant contradicts itself. Reads what WriteOpenVinoXml
// writes; nothing but tags, no comments, no document types.
absl::StatusOr<std::vector<StoredTensor>> ReadOpenVinoConstants(std::string_view xml);

}  // namespace quantd
