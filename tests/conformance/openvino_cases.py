"""Checkpoints and targets that OpenVINO's tests and goldens have in common."""
import json
import subprocess
import sys

import numpy as np

from fused_checkpoint import write_fused
from gguf_cases import LLAMA3_SCALING, longrope
from repository import ROOT
from synthetic import case

GOLDEN = ROOT / "tests" / "golden" / "openvino"

# With the options of optimum-cli that mean the same.
EXPORTS = {
    "fp32": ["--weight-format", "fp32"],
    "fp16": ["--weight-format", "fp16"],
    "int8": ["--weight-format", "int8"],
    "int4,group_size=64": ["--weight-format", "int4", "--group-size", "64", "--ratio", "1.0"],
    "int4,group_size=64,ratio=0.6": ["--weight-format", "int4", "--group-size", "64", "--ratio", "0.6"],
    "int4,group_size=64,symmetric=true": ["--weight-format", "int4", "--group-size", "64", "--ratio", "1.0", "--sym"],
    "int4,group_size=64,symmetric=true,ratio=0.6": ["--weight-format", "int4", "--group-size", "64", "--ratio", "0.6", "--sym"],
}
# Those whose constants are in the goldens, as Phi-3.
STORED = {"int8": "phi3-int8", "int4,group_size=64,symmetric=true,ratio=0.6": "phi3-int4-symmetric-g64-ratio0.6",
          "int4,group_size=64": "phi3-int4-g64"}
PROMPT = "The three primary colours are"
NEW_TOKENS = 24

CASES = {
    "llama": case("llama", "F32", 2, 128, 192, 4, 2),
    "llama-all-heads-tied": case("llama", "BF16", 2, 128, 192, 4, 4, tied=True),
    "llama-wide-heads": case("llama", "F16", 2, 128, 96, 4, 1, head_dim=64),
    "llama-3-scaling": case("llama", "F16", 2, 128, 96, 4, 2, config={"rope_scaling": LLAMA3_SCALING}),
    "llama-linear": case("llama", "F16", 2, 128, 96, 4, 2, config={"rope_scaling": {"type": "linear", "factor": 4.0}}),
    "phi3-window": case("phi3", "BF16", 2, 128, 192, 4, 4),
    "phi3-no-window": case("phi3", "F16", 2, 128, 192, 4, 2, config={"sliding_window": None}),
    "phi3-longrope": case("phi3", "F32", 2, 128, 192, 4, 4, config={"rope_scaling": longrope(16), "sliding_window": None}),
    "phi3-attention-factor": case("phi3", "F32", 2, 128, 192, 4, 4,
                                  config={"rope_scaling": longrope(16) | {"attention_factor": 1.5}, "sliding_window": None}),
    "phi3-partial": case("phi3", "F16", 2, 128, 192, 4, 4,
                         config={"rope_scaling": longrope(12), "partial_rotary_factor": 0.75, "sliding_window": 262144}),
}
TOKENS = np.random.default_rng(5).integers(3, 260, 160)  # the original context is 128, the window 64
LONGROPE_LENGTHS = 100, 160


def golden(name):
    return json.loads((GOLDEN / f"{name}.json").read_text())


def smollm2_phi3(folder):
    """SmolLM2 as Phi-3, its weights rounded to BF16 once."""
    subprocess.run([sys.executable, ROOT / "tests" / "support" / "make_smollm2.py", folder / "exact", "F32"], check=True)
    return write_fused(folder / "exact", folder / "phi3", tied=False)
