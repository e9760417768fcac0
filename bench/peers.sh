#!/usr/bin/env bash
# The whole job against llama.cpp: one BF16 checkpoint to GGUF Q4_K_M, by quantd and by llama.cpp's convert_hf_to_gguf.py followed
# by llama-quantize, in alternating runs. Options are peers.py's. Makes what is missing first: the converter's environment
# (build/convert-venv, 5 GB: the converter needs torch) and llama.cpp's sources (build/llama.cpp) at the reference version.
set -euo pipefail
cd "$(dirname "$0")/.."

reference=llama-cpp-python==0.3.36  # carries llama.cpp's sources
if [ ! -x build/convert-venv/bin/python ]; then
  python3 -m venv build/convert-venv
  build/convert-venv/bin/pip install --quiet --disable-pip-version-check torch==2.11.0 transformers==4.57.6 sentencepiece \
    'protobuf<5' gguf safetensors
fi
if [ ! -f build/llama.cpp/convert_hf_to_gguf.py ]; then
  download=$(mktemp -d)
  trap 'rm -rf "$download"' EXIT
  build/convert-venv/bin/pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: -d "$download" "$reference"
  tar -C "$download" -xzf "$download"/*.tar.gz
  mkdir -p build
  mv "$download"/*/vendor/llama.cpp build/llama.cpp
fi
exec build/venv/bin/python bench/peers.py "$@"
