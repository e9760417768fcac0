// ONNX Runtime GenAI: the folder that onnxruntime-genai's model builder writes, from the source's tensors in
// one pass. The graph and the small files are in onnx/; here is what becomes of each tensor.
#include "base/status.h"
#include "workers/formats/onnx_writer.h"
#include "workers/models/targets/formats.h"
#include "workers/models/targets/huggingface_folder.h"
#include "workers/models/targets/onnx/decoder_graph.h"
#include "workers/models/targets/onnx/genai_files.h"
#include "workers/models/targets/onnx/names.h"
#include "workers/models/targets/onnx/rotary_caches.h"

namespace quantd {
namespace {

class OnnxPlanner {
 public:
  OnnxPlanner(const Model& model, OnnxDecoder decoder) : model_(model), decoder_(std::move(decoder)) {}

  void AddTensors(OutputPlan& plan) {
    for (RotaryCache& cache : RotaryCaches(decoder_)) Add(plan, ComputedCache(std::move(cache)));
    for (size_t i = 0; i < model_.tensors.size(); ++i) AddTensor(i, plan);
  }

  const OnnxDecoder& decoder() const { return decoder_; }
  // The initializers that each tensor's planes are.
  const std::vector<std::vector<std::string>>& initializers() const { return initializers_; }

 private:
  // Where the writer finds an output tensor's planes.
  struct Planned {
    OutputTensor tensor;
    std::vector<std::string> initializers;
  };

  void Add(OutputPlan& plan, Planned planned) {
    plan.tensors.push_back(std::move(planned.tensor));
    initializers_.push_back(std::move(planned.initializers));
  }

  Planned ComputedCache(RotaryCache cache) const {
    OutputTensor tensor;
    tensor.name = cache.name;
    tensor.codec = &CodecOf(decoder_.recipe.io_type);
    tensor.shape = {cache.rows, cache.columns};
    const std::string name = cache.name;
    tensor.compute = [cache = std::move(cache)](int64_t first_row, int64_t rows, float* out) {
      ComputeRotaryRows(cache, first_row, rows, out);
    };
    return {std::move(tensor), {name}};
  }

  void AddTensor(size_t index, OutputPlan& plan) {
    const ModelTensor& tensor = model_.tensors[index];
    const int64_t layer = tensor.layer, layers = decoder_.parameters.layers;
    const bool joins = decoder_.recipe.joins_query_key_value();
    switch (tensor.role) {
      case TensorRole::kTokenEmbedding:
        if (decoder_.parameters.tied_embeddings)
          return AddMatrix(OnnxMatrix::kOutput, -1, Whole({index}), plan);
        return AddFloats(kOnnxEmbeddingWeight, index, plan);
      case TensorRole::kOutputNorm:
        return AddFloats(FinalNormWeight(layers), index, plan);
      case TensorRole::kOutput:
        return AddMatrix(OnnxMatrix::kOutput, -1, Whole({index}), plan);
      case TensorRole::kAttentionNorm:
        return AddFloats(InputNormWeight(layer), index, plan);
      case TensorRole::kAttentionQuery:  // key and value follow
        if (joins)
          return AddMatrix(OnnxMatrix::kQueryKeyValue, layer, Whole({index, index + 1, index + 2}), plan);
        return AddMatrix(OnnxMatrix::kQuery, layer, Whole({index}), plan);
      case TensorRole::kAttentionKey:
        if (!joins) AddMatrix(OnnxMatrix::kKey, layer, Whole({index}), plan);
        return;
      case TensorRole::kAttentionValue:
        if (!joins) AddMatrix(OnnxMatrix::kValue, layer, Whole({index}), plan);
        return;
      case TensorRole::kAttentionQueryKeyValue:
        if (joins) return AddMatrix(OnnxMatrix::kQueryKeyValue, layer, Whole({index}), plan);
        return AddParts({OnnxMatrix::kQuery, OnnxMatrix::kKey, OnnxMatrix::kValue}, layer, index, plan);
      case TensorRole::kAttentionOutput:
        return AddMatrix(OnnxMatrix::kAttentionOutput, layer, Whole({index}), plan);
      case TensorRole::kFeedForwardNorm:
        return AddFloats(PostAttentionNormWeight(layer), index, plan);
      case TensorRole::kFeedForwardGate:
        return AddMatrix(OnnxMatrix::kGate, layer, Whole({index}), plan);
      case TensorRole::kFeedForwardUp:
        return AddMatrix(OnnxMatrix::kUp, layer, Whole({index}), plan);
      case TensorRole::kFeedForwardGateUp:
        return AddParts({OnnxMatrix::kGate, OnnxMatrix::kUp}, layer, index, plan);
      case TensorRole::kFeedForwardDown:
        return AddMatrix(OnnxMatrix::kDown, layer, Whole({index}), plan);
    }
  }

  // All rows of these tensors, one after the other.
  OutputTensor Whole(const std::vector<size_t>& indexes) const {
    OutputTensor output;
    for (size_t index : indexes) TakeTensor(model_, index, output);
    return output;
  }

  // The matrices that a fused tensor holds one after the other.
  void AddParts(const std::vector<OnnxMatrix>& matrices, int64_t layer, size_t index, OutputPlan& plan) {
    int64_t first_row = 0;
    for (OnnxMatrix matrix : matrices) {
      OutputTensor part;
      part.sources = {{index, first_row, MatrixOf(decoder_, matrix, layer).outputs}};
      first_row += part.sources[0].rows;
      AddMatrix(matrix, layer, std::move(part), plan);
    }
  }

  void AddFloats(const std::string& name, size_t index, OutputPlan& plan) {
    OutputTensor output = Whole({index});
    output.name = name;
    output.codec = &CodecOf(decoder_.recipe.io_type);
    output.shape = model_.tensors[index].source.shape;
    Add(plan, {std::move(output), {name}});
  }

  // Weights are rounded to the type of activations before they are quantized, as the builder does.
  void AddMatrix(OnnxMatrix matrix, int64_t layer, OutputTensor output, OutputPlan& plan) {
    const DecoderMatrix described = MatrixOf(decoder_, matrix, layer);
    output.name = described.path;
    output.shape = {described.outputs, described.inputs};
    if (described.form.has_value()) {
      output.codec = &CodecOf(*described.form);
      if (decoder_.recipe.io_type != OnnxFloat::kF32) output.cast = &CodecOf(decoder_.recipe.io_type);
    } else {
      output.codec = &CodecOf(decoder_.recipe.io_type);
      output.transposed = true;
    }
    Add(plan, {std::move(output), MatrixInitializers(described.path, described.form)});
  }

  const Model& model_;
  const OnnxDecoder decoder_;
  std::vector<std::vector<std::string>> initializers_;
};

}  // namespace

FormatInfo OnnxFormatInfo() {
  return {
      .name = "onnx", .runtime = "ONNX Runtime GenAI", .schemes = OnnxSchemes(), .options = OnnxOptions()};
}

absl::StatusOr<std::unique_ptr<PlannedTarget>> PlanOnnx(const Model& model, const TargetSpec& spec) {
  auto target = std::make_unique<PlannedTarget>();
  ASSIGN_OR_RETURN(OnnxDecoder decoder, ReadOnnxDecoder(spec, model, target->plan.notes));
  ASSIGN_OR_RETURN(target->plan.sidecars, MakeGenaiFiles(model, decoder, target->plan.notes));
  OnnxPlanner planner(model, std::move(decoder));
  planner.AddTensors(target->plan);
  ASSIGN_OR_RETURN(target->writer, MakeOnnxWriter(target->plan, planner.initializers(),
                                                  BuildDecoderGraph(planner.decoder())));
  return target;
}

}  // namespace quantd
