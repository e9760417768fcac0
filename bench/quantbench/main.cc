// quantbench: how fast the kernels are on this machine, beside memcpy and ggml.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "bench/quantbench/cuda_bench.h"
#include "bench/quantbench/kernel_bench.h"
#include "workers/quant/codec_list.h"
#include "workers/quant/cpu_target.h"

namespace quantd::bench {
namespace {

struct Options {
  std::vector<std::string> types;
  std::string device = "cpu";
  int threads = 1;
  std::string ggml;
  std::string output = "json";
};

// Measured where no --type says otherwise: what llama.cpp and OpenVINO have, and the others' common types.
bool IsCommon(const quant::Codec& codec) {
  const std::string_view name = codec.name();
  if (name.starts_with("ONNX_")) {
    return name.find("_B32_") != std::string_view::npos && name.ends_with("_F16");
  }
  if (!name.starts_with("MLX_")) return true;
  return name.ends_with("_BF16") &&
         (name.find("_I") == std::string_view::npos || name.find("_G64_") != std::string_view::npos);
}

nlohmann::ordered_json ToJson(const KernelFigures& figures, const Options& options) {
  nlohmann::ordered_json line = {
      {"type", figures.type},
      {"importance", figures.importance},
      {"device", options.device},
      {"target", quant::CpuTarget()},
      {"threads", options.threads},
      {"bf16_mweights_per_second", figures.bf16_weights_per_second / 1e6},
      {"f32_mweights_per_second", figures.f32_weights_per_second / 1e6},
      {"bytes_per_second", figures.bytes_per_second},
      {"memcpy_bytes_per_second", figures.memcpy_bytes_per_second},
      {"memcpy_share", figures.memcpy_share},
  };
  if (figures.ratio.has_value()) {
    line["ggml_mweights_per_second"] = *figures.peer_weights_per_second / 1e6;
    line["ratio_to_ggml"] = *figures.ratio;
  }
  return line;
}

void PrintRow(const KernelFigures& figures) {
  std::printf("| %s%s | %.0f | %.0f | %.1f | %.2f | ", figures.type.c_str(),
              figures.importance ? ", imatrix" : "", figures.bf16_weights_per_second / 1e6,
              figures.f32_weights_per_second / 1e6, figures.bytes_per_second / 1e9, figures.memcpy_share);
  if (figures.ratio.has_value()) {
    std::printf("%.1f | %.1f |\n", *figures.peer_weights_per_second / 1e6, *figures.ratio);
  } else {
    std::printf("| |\n");
  }
  std::fflush(stdout);
}

void Report(const KernelFigures& figures, const Options& options) {
  if (options.output == "table") return PrintRow(figures);
  std::printf("%s\n", ToJson(figures, options).dump().c_str());
  std::fflush(stdout);
}

int Fail(const std::string& reason) {
  std::fprintf(stderr, "quantbench: %s\n", reason.c_str());
  return 2;
}

void Report(const CudaFigures& figures, const Options& options) {
  if (options.output == "table") {
    std::printf("| %s%s | %.1f | %.1f | %.1f | %.2f |\n", figures.type.c_str(),
                figures.importance ? ", imatrix" : "", figures.kernel_weights_per_second / 1e9,
                figures.path_weights_per_second / 1e9, figures.copy_bytes_per_second / 1e9,
                figures.copy_share);
  } else {
    const nlohmann::ordered_json line = {
        {"type", figures.type},
        {"importance", figures.importance},
        {"device", options.device},
        {"threads", options.threads},
        {"kernel_mweights_per_second", figures.kernel_weights_per_second / 1e6},
        {"bf16_mweights_per_second", figures.path_weights_per_second / 1e6},
        {"bytes_per_second", figures.path_bytes_per_second},
        {"memcpy_bytes_per_second", figures.copy_bytes_per_second},
        {"memcpy_share", figures.copy_share},
    };
    std::printf("%s\n", line.dump().c_str());
  }
  std::fflush(stdout);
}

int RunCuda(const std::vector<const quant::Codec*>& codecs, const Options& options) {
  if (options.output == "table") {
    std::printf("cuda, %d encoders\n\n", options.threads);
    std::printf("| type | kernel Gweights/s | device path Gweights/s | pinned copy GB/s | path of copy |\n");
    std::printf("|---|---|---|---|---|\n");
  }
  for (const quant::Codec* codec : codecs) {
    for (bool importance : {false, true}) {
      const quant::ImportanceUse use = codec->importance_use();
      if (use == (importance ? quant::ImportanceUse::kIgnored : quant::ImportanceUse::kRequired)) continue;
      const auto figures = MeasureCuda(*codec, importance, options.threads);
      if (!figures.ok()) return Fail(std::string(figures.status().message()));
      Report(*figures, options);
    }
  }
  return 0;
}

int RunKernels(const Options& options) {
  if (absl::Status status = quant::SetCpuTargetFromEnvironment(); !status.ok()) {
    return Fail(std::string(status.message()));
  }
  std::vector<const quant::Codec*> codecs;
  for (const std::string& type : options.types) {
    codecs.push_back(quant::FindCodec(type));
    if (codecs.back() == nullptr) return Fail("there is no type \"" + type + "\"");
  }
  if (options.device == "cuda") {
    if (const auto on_gpu = CudaCodecs(); !on_gpu.ok()) {
      return Fail(std::string(on_gpu.status().message()));
    } else if (codecs.empty()) {
      codecs = *on_gpu;
    }
    return RunCuda(codecs, options);
  }
  if (codecs.empty()) {
    for (const quant::Codec* codec : quant::AllCodecs()) {
      if (IsCommon(*codec)) codecs.push_back(codec);
    }
  }
  auto peer = GgmlPeer::Load(options.ggml);
  if (!peer.ok())
    std::fprintf(stderr, "quantbench: no ratios: %s\n", std::string(peer.status().message()).c_str());
  const GgmlPeer* ggml = peer.ok() ? peer->get() : nullptr;
  if (options.output == "table") {
    std::printf("%s, %d thread(s)\n\n", quant::CpuTarget().c_str(), options.threads);
    std::printf("| type | Mweights/s from BF16 | from F32 | GB/s | of memcpy | ggml Mweights/s | ratio |\n");
    std::printf("|---|---|---|---|---|---|---|\n");
  }
  for (const quant::Codec* codec : codecs) {
    const quant::ImportanceUse use = codec->importance_use();
    if (use != quant::ImportanceUse::kRequired)
      Report(MeasureKernel(*codec, false, options.threads, ggml), options);
    if (use != quant::ImportanceUse::kIgnored)
      Report(MeasureKernel(*codec, true, options.threads, ggml), options);
  }
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app("quantbench: how fast quantd's kernels are on this machine", "quantbench");
  app.require_subcommand(1);
  Options options;
  CLI::App* kernels = app.add_subcommand("kernels", "one line for each type: speed, beside memcpy and ggml");
  kernels->add_option(
      "--type", options.types,
      "types to measure (default: all of llama.cpp's and OpenVINO's, common ones of MLX and ONNX)");
  kernels->add_option("--device", options.device, "where to encode")->check(CLI::IsMember({"cpu", "cuda"}));
  kernels->add_option("--threads", options.threads, "threads")->check(CLI::Range(1, 1024));
  kernels->add_option("--ggml", options.ggml,
                      "libggml-base.so to compare with (default: the one in build/venv)");
  kernels->add_option("-o", options.output, "json: one object a line; table: Markdown")
      ->check(CLI::IsMember({"json", "table"}));
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return Fail(error.what());
  }
  return RunKernels(options);
}

}  // namespace
}  // namespace quantd::bench

int main(int argc, char** argv) { return quantd::bench::Main(argc, argv); }
