"""The checkpoints and targets whose GGUF files are pinned to llama.cpp's (tests/golden/gguf)."""
from synthetic import (LLAMA3, added, byte_fallback_tokenizer, byte_level_files, byte_level_tokenizer, case, sentencepiece_model, template,
                       tokenizer_config)

FILE_TYPES = {"F32": 0, "F16": 1, "Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q5_0": 8, "Q5_1": 9, "Q2_K": 10, "Q3_K_S": 11, "Q3_K_M": 12,
              "Q3_K_L": 13, "Q4_K_S": 14, "Q4_K_M": 15, "Q5_K_S": 16, "Q5_K_M": 17, "Q6_K": 18, "IQ3_S": 26, "IQ3_M": 27, "IQ4_NL": 25, "IQ4_XS": 30,
              "TQ1_0": 36, "TQ2_0": 37, "MXFP4_MOE": 38, "Q1_0": 40, "BF16": 32}
NEEDS_IMPORTANCE = {"Q2_K_S": 21, "IQ1_S": 24, "IQ1_M": 31, "IQ2_XXS": 19, "IQ2_XS": 20, "IQ2_S": 28, "IQ2_M": 29, "IQ3_XXS": 23, "IQ3_XS": 22}
QUANTIZED = [name for name in FILE_TYPES if name not in ("F32", "F16", "BF16")]
# Of those, the ones that tests/golden/gguf has; test_gguf_quantize.py runs llama.cpp itself for all.
PINNED = ["Q4_0", "Q4_1", "Q8_0", "Q5_0", "Q5_1", "Q2_K", "Q3_K_S", "Q3_K_M", "Q3_K_L", "Q4_K_S", "Q4_K_M", "Q5_K_S", "Q5_K_M", "Q6_K"]
OPTIONS = ["Q4_K_M,pure=true", "Q3_K_S,pure=true", "Q4_K_M,output_tensor_type=Q8_0", "Q4_K_M,output_tensor_type=F16",
           "Q8_0,output_tensor_type=Q4_K,pure=true", "Q5_K_M,token_embedding_type=Q3_K",
           "Q4_K_M,token_embedding_type=Q8_0,output_tensor_type=Q5_1,pure=true", "Q4_K_S,leave_output_tensor=true",
           "Q4_K_M,tensor_type=ffn_down=Q8_0,tensor_type=down=Q4_0", "Q3_K_M,tensor_type=blk\\.[12]\\.attn_=Q6_K",
           "Q4_K_M,tensor_type=attn_v=Q4_1,tensor_type=token_embd=BF16", "F16,output_tensor_type=Q8_0", "F16,token_embedding_type=Q6_K"]
# llama-quantize gives up on types that are asked for by name and do not fit.
OPTIONS_OF_32 = [option for option in OPTIONS if "_type=Q4_K" not in option and "_type=Q3_K" not in option and "_type=Q6_K" not in option]
LLAMA3_SCALING = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                  "original_max_position_embeddings": 64}


def longrope(pairs, kind="longrope"):
    return {"type": kind, "long_factor": [1.0 + 0.5 * i for i in range(pairs)], "short_factor": [1.0 + 0.01 * i for i in range(pairs)]}


def sentencepiece_files(**more):
    return {"tokenizer.model": sentencepiece_model(), "tokenizer_config.json": tokenizer_config("LlamaTokenizer", add_bos_token=True)} | more


# Every pinned file type, and the options where a list is longer.
WEIGHTS = {
    "llama-grouped-tied-f16": (case("llama", "F16", 3, 256, 512, 8, 2, tied=True), PINNED + OPTIONS),
    "llama-untied-bf16": (case("llama", "BF16", 5, 256, 256, 4, 4, shards=3), PINNED + OPTIONS),
    "llama-columns-of-32-f32": (case("llama", "F32", 2, 288, 352, 6, 3), PINNED + OPTIONS_OF_32),
    "llama-odd-columns-f16": (case("llama", "F16", 2, 200, 264, 4, 2, tied=True), PINNED),
    "llama-one-layer-f16": (case("llama", "F16", 1, 256, 256, 4, 2), PINNED),
    "llama-seven-layers-f16": (case("llama", "F16", 7, 256, 256, 4, 2, head_dim=32), PINNED),
    "llama-32-layers-bf16": (case("llama", "BF16", 32, 256, 256, 4, 1, head_dim=16, tied=True), PINNED),
    "llama-80-layers-f16": (case("llama", "F16", 80, 256, 256, 8, 1, head_dim=8), ["Q2_K", "Q3_K_S", "Q3_K_M", "Q4_K_S", "Q4_K_M"]),
    "phi3-bf16": (case("phi3", "BF16", 4, 256, 512, 4, 4), PINNED + [option.replace("attn_v", "attn_qkv") for option in OPTIONS]),
    "phi3-grouped-f16": (case("phi3", "F16", 8, 256, 256, 8, 2, tied=True), PINNED),
}

SAMPLING = {"generation_config.json": {"temperature": 0.6, "top_p": 0.9, "top_k": 40, "repetition_penalty": 1.1, "do_sample": True,
                                       "eos_token_id": [2, 1]}}


def llama(files=None, **more):
    return case("llama", "F16", 1, 64, 64, 2, 1, files, **more)


def phi3(files=None, **more):
    return case("phi3", "BF16", 1, 64, 64, 2, 1, files, **more)


def decoder_entry(content, special, **more):
    return {key: value for key, value in added(0, content, special, **more).items() if key != "id"}


# Only F16: metadata and computed tensors.
METADATA = {
    "meta-llama3": llama(byte_level_files({"tokenizer_class": "PreTrainedTokenizerFast"}, pre_tokenizer=LLAMA3, ignore_merges=True,
                                          pair_merges=True, post_processor={"type": "Sequence", "processors": [
                                              {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False, "use_regex": True},
                                              template("<s>")]}) | SAMPLING,
                         config={"rope_scaling": LLAMA3_SCALING, "rope_theta": 500000.0, "eos_token_id": [2, 1]}),
    "meta-llama3-parameters": llama(byte_level_files(pre_tokenizer=LLAMA3, ignore_merges=True), head_dim=64,
                                    config={"rope_parameters": LLAMA3_SCALING | {"rope_theta": 500000.0}, "rope_theta": None}),
    "meta-linear-rope": llama(config={"rope_scaling": {"type": "linear", "factor": 4.0}}),
    "meta-no-heads-of-values": llama(config={"head_dim": 32, "pad_token_id": 0}),
    "meta-ends": llama(byte_level_files({"add_bos_token": True, "add_eos_token": True, "pad_token": added(0, "</s>") | {"__type": "AddedToken"}, "sep_token": "</s>"},
                                        post_processor=template("<s>", "</s>"))),
    "meta-other-end": llama(byte_level_files({"eos_token": "<unk>"}, post_processor=template("<s>", "</s>"))),
    "meta-jinja": llama(byte_level_files({"chat_template": None}) | {"chat_template.jinja": "{% for m in messages %}{{ m }}{% endfor %}"}),
    "meta-template-without-key": llama({"tokenizer.json": byte_level_tokenizer(), "tokenizer_config.json": tokenizer_config("GPT2Tokenizer"),
                                        "chat_template.jinja": "{{ messages }}"}),
    "meta-templates": llama(byte_level_files({"chat_template": [{"name": "default", "template": "{{ a }}"},
                                                                {"name": "tool_use", "template": "{{ b }}"}]})),
    "meta-decoder-only-tokens": llama(byte_level_files({"added_tokens_decoder": {
        "0": decoder_entry("<unk>", True), "264": decoder_entry("<|late|>", True), "265": decoder_entry("late word", False)}})),
    "meta-sentencepiece": llama(sentencepiece_files()),
    "meta-sentencepiece-added": llama(sentencepiece_files(**{
        "added_tokens.json": {"<extra>": 280, "<far>": 999},
        "tokenizer_config.json": tokenizer_config("LlamaTokenizer", add_bos_token=True, add_eos_token=False, add_prefix_space=True, added_tokens_decoder={
            "0": decoder_entry("<unk>", True), "1": decoder_entry("<s>", True), "281": decoder_entry("<|chat|>", False),
            "282": decoder_entry("▁two▁words", False), "283": decoder_entry("<tool>", True)})})),
    "meta-sentencepiece-and-json": llama(sentencepiece_files(**{
        "tokenizer.json": byte_fallback_tokenizer(), "tokenizer_config.json": tokenizer_config("GPT2Tokenizer", legacy=False)})),
    "meta-code-llama": llama(sentencepiece_files(), vocabulary=32016),
    "meta-byte-fallback": llama({"tokenizer.json": byte_fallback_tokenizer(),
                                 "tokenizer_config.json": tokenizer_config("LlamaTokenizerFast", add_bos_token=True)}, vocabulary=275),
    "meta-granite-size": llama(byte_level_files({"add_bos_token": True}), vocabulary=49152),
    "meta-phi3-sentencepiece": phi3(sentencepiece_files(**{
        "tokenizer.json": byte_fallback_tokenizer(), "added_tokens.json": {"<|stop|>": 300},
        "tokenizer_config.json": tokenizer_config("LlamaTokenizer", add_bos_token=False, chat_template="{{ m }}", added_tokens_decoder={
            "300": decoder_entry("<|stop|>", True), "301": decoder_entry("▁plain", False), "302": decoder_entry("<|looks|>", False)})})),
    "meta-phi3-longrope": phi3(config={"rope_scaling": longrope(16), "max_position_embeddings": 1024}),
    "meta-phi3-su": phi3(config={"rope_scaling": longrope(16, "su"), "sliding_window": None}),
    "meta-phi3-partial": phi3(config={"rope_scaling": longrope(12), "partial_rotary_factor": 0.75, "max_position_embeddings": 1024}),
    "meta-Llama-3.2-1B-Instruct": llama(config={"_name_or_path": "somebody/Other-Name-7b-chat-v2"}),
}

# SmolLM2-135M-Instruct, as tests/support/make_smollm2.py makes it.
SMOLLM2 = ["F32", "BF16", *PINNED]
