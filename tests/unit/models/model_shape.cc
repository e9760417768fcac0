#include "tests/unit/models/model_shape.h"

#include "workers/quant/codec_list.h"

namespace quantd {

Model ShapedModel(const std::string& architecture, const ModelShape& shape) {
  Model model;
  model.architecture = FindArchitecture(architecture);
  model.files = nullptr;
  HyperParameters& p = model.parameters;
  p.layers = shape.layers;
  p.hidden = shape.hidden;
  p.feed_forward = shape.feed_forward;
  p.heads = shape.heads;
  p.key_value_heads = shape.key_value_heads;
  p.vocabulary = shape.vocabulary;
  p.tied_embeddings = shape.tied;
  const auto add = [&](const TensorRule& rule, int64_t layer) {
    if (rule.role == TensorRole::kOutput && shape.tied) return;
    SourceTensor source;
    source.name = TensorName(rule.huggingface, layer);
    source.codec = quant::FindCodec("BF16");
    source.shape = rule.shape(p);
    model.tensors.push_back({rule.role, layer, &rule, source});
  };
  for (const TensorRule& rule : model.architecture->tensors) {
    if (!rule.per_layer()) add(rule, -1);
  }
  for (int64_t layer = 0; layer < shape.layers; ++layer) {
    for (const TensorRule& rule : model.architecture->tensors) {
      if (rule.per_layer()) add(rule, layer);
    }
  }
  return model;
}

}  // namespace quantd
