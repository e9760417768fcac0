// OpenVINO: the folder that optimum-intel exports, its weights compressed as NNCF does. The graph and the
// small files are in openvino/; here is what becomes of each tensor.
#include "base/status.h"
#include "workers/formats/openvino_writer.h"
#include "workers/models/targets/formats.h"
#include "workers/models/targets/huggingface_folder.h"
#include "workers/models/targets/openvino/decoder_graph.h"
#include "workers/models/targets/openvino/openvino_files.h"
#include "workers/models/targets/openvino/tokenizer_ir.h"

namespace quantd {
namespace {

// The constants that each tensor's planes are.
using ConstantNames = std::vector<std::vector<std::string>>;

void AddTensor(const Model& model, size_t index, const OpenVinoDecoder& decoder, OutputPlan& plan,
               ConstantNames& constants) {
  const ModelTensor& tensor = model.tensors[index];
  if (tensor.role == TensorRole::kOutput && decoder.output_is_embedding) return;
  OutputTensor output;
  output.name = TensorName(tensor.rule->huggingface, tensor.layer);
  output.shape = tensor.source.shape;
  TakeTensor(model, index, output);
  const auto matrix = decoder.matrices.find(output.name);
  if (matrix == decoder.matrices.end()) {
    // Norms stay F32 whatever the scheme: they are small, and exact then.
    output.codec = &CodecOf({IrType::kF32});
    constants.push_back({FloatConstantName(output.name)});
  } else {
    const WeightForm& form = matrix->second.form;
    output.codec = &CodecOf(form);
    if (form.type == IrType::kU4) output.nibble_plane = kZeroPointPlane;
    constants.push_back(PlaneConstants(matrix->second));
  }
  plan.tensors.push_back(std::move(output));
}

absl::Status WithoutTokenizerHint(const absl::Status& status) {
  return Annotate(status, "the tokenizer, which the option tokenizer=none leaves out");
}

absl::Status AddTokenizer(const Model& model, const TargetSpec& spec, OutputPlan& plan) {
  if (OptionOr(spec, "tokenizer", "") == "none") return absl::OkStatus();
  absl::StatusOr<std::vector<SidecarFile>> sources = TokenizerJsonSidecars(model, plan.notes);
  if (!sources.ok()) return WithoutTokenizerHint(sources.status());
  if (HasNoTokenizer(*sources)) {
    plan.notes.push_back("the checkpoint has no tokenizer: the folder takes and gives token ids only");
    return absl::OkStatus();
  }
  absl::StatusOr<std::vector<SidecarFile>> files = MakeTokenizerIr(model, *sources);
  if (!files.ok()) return WithoutTokenizerHint(files.status());
  for (SidecarFile& file : *files) plan.sidecars.push_back(std::move(file));
  return absl::OkStatus();
}

}  // namespace

FormatInfo OpenVinoFormatInfo() {
  return {.name = "openvino",
          .runtime = "OpenVINO GenAI",
          .schemes = OpenVinoSchemes(),
          .options = OpenVinoOptions()};
}

absl::StatusOr<std::unique_ptr<PlannedTarget>> PlanOpenVino(const Model& model, const TargetSpec& spec,
                                                            const PlanOptions& options) {
  auto target = std::make_unique<PlannedTarget>();
  OutputPlan& plan = target->plan;
  ASSIGN_OR_RETURN(const OpenVinoRecipe recipe, ReadOpenVinoRecipe(spec, model, plan.notes));
  ASSIGN_OR_RETURN(const OpenVinoDecoder decoder, ReadOpenVinoDecoder(recipe, model, options, plan.notes));
  ASSIGN_OR_RETURN(plan.sidecars, MakeOpenVinoFiles(model, spec.scheme, recipe));
  RETURN_IF_ERROR(AddTokenizer(model, spec, plan));
  ConstantNames constants;
  for (size_t i = 0; i < model.tensors.size(); ++i) AddTensor(model, i, decoder, plan, constants);
  ASSIGN_OR_RETURN(target->writer, MakeOpenVinoWriter(plan, constants, BuildOpenVinoModel(decoder)));
  return target;
}

}  // namespace quantd
