#!/usr/bin/env bash
# The whole job against another tool, in alternating runs on one BF16 checkpoint: `bench/peers.sh [llama.cpp|onnx|openvino] [OPTION…]`. Options
# are peers.py's. Makes what is missing of the other tool's environment first, all of them 5 GB, because they need torch.
set -euo pipefail
cd "$(dirname "$0")/.."

# make_environment FOLDER PACKAGE…
make_environment() {
  [ ! -x "$1/bin/python" ] || return 0
  python3 -m venv "$1"
  "$1/bin/pip" install --quiet --disable-pip-version-check "${@:2}"
}

# The converter comes with llama.cpp's sources, at the reference version.
fetch_llama_cpp() {
  [ ! -f build/llama.cpp/convert_hf_to_gguf.py ] || return 0
  local download
  download=$(mktemp -d)
  trap 'rm -rf "$download"' EXIT
  build/convert-venv/bin/pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: -d "$download" llama-cpp-python==0.3.36
  tar -C "$download" -xzf "$download"/*.tar.gz
  mkdir -p build
  mv "$download"/*/vendor/llama.cpp build/llama.cpp
}

case "${1:-}" in
  onnx)
    make_environment build/onnx-venv torch==2.11.0 transformers==5.24.0 onnxruntime-genai==0.18.0 onnxruntime==1.32.0 onnx==1.23.2 \
      onnx-ir==1.1.0 safetensors sentencepiece
    ;;
  openvino)
    make_environment build/openvino-venv 'optimum-intel[openvino]==2.2.0' optimum==2.3.0 nncf==3.4.0 openvino==2026.4.1 torch==2.11.0 \
      transformers==5.5.4 sentencepiece
    ;;
  *)
    make_environment build/convert-venv torch==2.11.0 transformers==4.57.6 sentencepiece 'protobuf<5' gguf safetensors
    fetch_llama_cpp
    ;;
esac
exec build/venv/bin/python bench/peers.py "$@"
