"""The checkpoints and targets whose ONNX folders are pinned to the builder's of onnxruntime-genai (tests/golden/onnx)."""
from gguf_cases import LLAMA3_SCALING, SAMPLING, longrope
from synthetic import added, byte_level_files, case

PLAIN = {"original_max_position_embeddings": 256, "sliding_window": None}  # a phi3 without LongRoPE
# Phi-3.5's numbers: the angles of the last positions are where float32 arithmetic shows.
LONG = {"original_max_position_embeddings": 4096, "max_position_embeddings": 131072, "sliding_window": 262144}
MARKS = [added(264 + i, text, special=False) for i, text in enumerate(("<tool_call>", "</tool_call>", "<think>", "</think>"))]

CASES = {
    "llama-tied-f16": (case("llama", "F16", 1, 128, 192, 4, 2, tied=True), [
        "int4", "int8", "fp32", "int4,ep=cuda", "int8,ep=cuda", "fp16,ep=cuda", "bf16,ep=cuda", "int4,ep=dml", "int8,ep=dml", "fp16,ep=dml",
        "int4,symmetric=false", "int4,algorithm=rtn", "int4,algorithm=rtn,symmetric=false", "int4,algorithm=k_quant", "int8,algorithm=k_quant",
        "int4,mixed=last_matmul", "int4,algorithm=k_quant,mixed=last_matmul", "int4,block_size=64,ep=cuda,accuracy_level=2",
        "int4,accuracy_level=0"]),
    "llama-untied-bf16": (case("llama", "BF16", 3, 128, 256, 4, 1, shards=2), [
        "int4", "fp32", "bf16,ep=cuda", "int8,symmetric=false", "int8,algorithm=rtn", "int4,mixed=layers", "int4,symmetric=false,mixed=layers",
        "int4,algorithm=k_quant,mixed=layers", "int4,mixed=layers,ep=dml"]),
    "llama-odd-columns-f32": (case("llama", "F32", 2, 200, 264, 4, 2, head_dim=16), [
        "int4", "int4,ep=cuda", "int8", "int4,symmetric=false", "int4,block_size=16", "int4,block_size=128", "int8,block_size=256",
        "int4,block_size=128,symmetric=false", "int4,algorithm=rtn", "int8,algorithm=k_quant", "bf16,ep=cuda"]),
    "llama-odd-columns-tied-f16": (case("llama", "F16", 1, 200, 264, 4, 2, head_dim=16, tied=True, config={
        "bos_token_id": None, "eos_token_id": 7}), ["int4", "int4,block_size=128,ep=cuda"]),
    "llama-3-scaling-bf16": (case("llama", "BF16", 1, 128, 128, 2, 1, byte_level_files(more=MARKS) | SAMPLING, config={
        "rope_scaling": LLAMA3_SCALING | {"original_max_position_embeddings": 8192}, "rope_theta": 500000.0, "max_position_embeddings": 131072,
        "eos_token_id": [2, 1]}), ["fp32", "fp16,ep=cuda", "fp16,ep=dml"]),
    "llama-linear-scaling-f16": (case("llama", "F16", 1, 128, 128, 4, 4, config={"rope_scaling": {"type": "linear", "factor": 4.0}}), ["fp32"]),
    "phi3-bf16": (case("phi3", "BF16", 2, 128, 192, 4, 2, config=PLAIN), [
        "int4", "int8,ep=cuda", "fp32", "fp16,ep=cuda", "bf16,ep=cuda", "int4,ep=dml", "int4,algorithm=k_quant"]),
    "phi3-tied-f16": (case("phi3", "F16", 1, 128, 192, 4, 4, tied=True, config=PLAIN), ["int4", "fp16,ep=cuda"]),
    "phi3-window-f16": (case("phi3", "F16", 2, 128, 192, 2, 1, config=PLAIN | {"sliding_window": 64}), ["int4", "fp16,ep=cuda", "int4,ep=dml"]),
    "phi3-partial-rotary-f16": (case("phi3", "F16", 2, 128, 192, 2, 1, config=PLAIN | {"partial_rotary_factor": 0.75}), [
        "fp32", "int4,ep=cuda", "fp16,ep=dml"]),
    "phi3-longrope-f16": (case("phi3", "F16", 2, 128, 192, 4, 2, config=LONG | {"rope_scaling": longrope(16)}), [
        "int4", "fp32", "fp16,ep=cuda", "bf16,ep=cuda", "fp16,ep=dml"]),
    "phi3-longrope-partial-bf16": (case("phi3", "BF16", 1, 128, 192, 2, 1, config=LONG | {
        "rope_scaling": longrope(24), "eos_token_id": [7, 8], "pad_token_id": None, "partial_rotary_factor": 0.75}), ["int4", "fp16,ep=dml"]),
}
CACHE_ROWS = (0, 1, 63, 255, 4095, 4096, 131071)  # that the goldens have of the rotary caches

# A LongRoPE model; the goldens have its logits after so many tokens, below and above its original context.
LOGITS_CASE = case("phi3", "F32", 2, 128, 192, 4, 2, config={"original_max_position_embeddings": 64, "sliding_window": None,
                                                             "rope_scaling": longrope(16)})
LOGITS_LENGTHS = (40, 64, 65, 200)


def logits_tokens(length):
    return [(7 * i + i * i) % 320 for i in range(length)]


def parse(target):
    """The scheme and the options, those with values as text."""
    scheme, *options = target.split(",")
    return scheme, {"ep": "cpu"} | dict(option.split("=") for option in options)
