"""Tokenizers of the kinds that language models have, trained on a small text, and texts to try them with."""
import io
import json
import pathlib
import random

import sentencepiece as sentencepiece_library
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from synthetic import BYTE_LEVEL, LLAMA3, added, byte_symbols, template, tokenizer_config

DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"
QWEN_REGEX = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def corpus():
    text = "\n".join(path.read_text() for path in sorted(DOCS.glob("*.md")))
    return text.splitlines(keepends=True) + [" was für ein schönes Straßenfest über dem Äquator", " Привет, мир! Как дела?", " 世界、こんにちは。你好吗"] * 20


def split(pattern, behavior="Isolated", invert=False):
    return {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}


def sequence(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


def train(pre_tokenizer, size, first, alphabet=(), limit=None):
    """vocab and merges of a byte-pair encoder whose first tokens are `first`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer
    trainer = trainers.BpeTrainer(vocab_size=size, show_progress=False, special_tokens=list(first), initial_alphabet=list(alphabet),
                                  **({"limit_alphabet": limit} if limit else {}))
    tokenizer.train_from_iterator(corpus(), trainer)
    model = json.loads(tokenizer.to_str())["model"]
    return model["vocab"], model["merges"]


def document(vocab, merges, tokens, **parts):
    model = {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
             "fuse_unk": False, "byte_fallback": False, "ignore_merges": False, "vocab": vocab, "merges": merges}
    return {"version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens, "normalizer": None, "pre_tokenizer": None,
            "post_processor": None, "decoder": None} | parts | {"model": model | parts.get("model", {})}


def without_some_merges(vocab, merges):
    """Every fifth merge whose result no other merge takes is left out: its token stays in the vocabulary."""
    parts = {part for merge in merges for part in merge}
    return vocab, [merge for i, merge in enumerate(merges) if i % 5 or "".join(merge) in parts]


def byte_level(pre_tokenizer, more_tokens=(), orphans=False, **parts):
    learn = pre_tokenizers.ByteLevel(add_prefix_space=False)
    vocab, merges = train(learn, 900, ["<unk>", "<s>", "</s>"], byte_symbols())
    if orphans:
        vocab, merges = without_some_merges(vocab, merges)
    names = ["<|user|>", "<|end|>", "two words", *more_tokens]
    tokens = [added(i, text) for i, text in enumerate(["<unk>", "<s>", "</s>"])]
    tokens += [added(len(vocab) + i, token, special=token.startswith("<|")) if isinstance(token, str) else token | {"id": len(vocab) + i}
               for i, token in enumerate(names)]
    return document(vocab, merges, tokens, **{"pre_tokenizer": pre_tokenizer, "decoder": BYTE_LEVEL} | parts)


SENTENCEPIECE_DECODER = {"type": "Sequence", "decoders": [
    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
    {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}
PREPEND = {"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"},
                                               {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]}


def sentencepiece(more_tokens=(), **parts):
    """Few characters have a token: the others fall back to bytes."""
    learn = pre_tokenizers.Sequence([pre_tokenizers.Metaspace(prepend_scheme="always")])
    vocab, merges = train(learn, 900, ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))], limit=80)
    tokens = [added(i, text) for i, text in enumerate(["<unk>", "<s>", "</s>"])]
    tokens += [token | {"id": len(vocab) + i} for i, token in enumerate(more_tokens)]
    model = {"unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True}
    return document(vocab, merges, tokens, **{"normalizer": PREPEND, "decoder": SENTENCEPIECE_DECODER, "post_processor": template("<s>"),
                                              "model": model} | parts)


def metaspace(scheme, cuts):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": cuts}


PLAIN_BYTES = BYTE_LEVEL | {"use_regex": False}

CASES = {
    "gpt2": lambda: byte_level(BYTE_LEVEL),
    "prefix-space": lambda: byte_level(BYTE_LEVEL | {"add_prefix_space": True}),
    "llama3": lambda: byte_level(LLAMA3, orphans=True, post_processor={"type": "Sequence", "processors": [BYTE_LEVEL, template("<s>", "</s>")]},
                                 model={"ignore_merges": True}),
    "orphans": lambda: byte_level(LLAMA3, orphans=True),
    "qwen": lambda: byte_level(sequence(split({"Regex": QWEN_REGEX}), PLAIN_BYTES), normalizer={"type": "NFC"},
                               more_tokens=["<tool_call>", "</tool_call>"]),
    "nfkc": lambda: byte_level(sequence({"type": "Digits", "individual_digits": False}, BYTE_LEVEL), normalizer={"type": "NFKC"}),
    "strips": lambda: byte_level(LLAMA3, more_tokens=[added(0, "<|left|>", lstrip=True), added(0, "<|right|>", rstrip=True),
                                                      added(0, "<|both|>", lstrip=True, rstrip=True), added(0, "<|both|>x"),
                                                      added(0, "<late>", normalized=True, special=False)]),
    "splits": lambda: byte_level(sequence(split({"String": "\n"}, "MergedWithPrevious"), split({"String": " "}, "MergedWithNext"),
                                          split({"Regex": r"[\p{P}\p{S}]"}, "Contiguous"), split({"Regex": r"(?<=\p{L})\p{N}+"}),
                                          split({"String": "€"}, "Removed"), split({"Regex": r"[^\t]+"}, "Removed", invert=True),
                                          split({"Regex": r"\w+|[^\w\s]+"}), PLAIN_BYTES)),
    "llama2": lambda: sentencepiece(),
    "llama2-old": lambda: sentencepiece([added(0, "<late>", normalized=True), added(0, "<two words>", normalized=True, special=False)]),
    "phi3": lambda: sentencepiece([added(0, "<|end|>", rstrip=True), added(0, "<|user|>", rstrip=True)], post_processor=None),
    "metaspace-first": lambda: sentencepiece([added(0, "<|end|>")], normalizer=None, pre_tokenizer=metaspace("first", False)),
    "metaspace-always": lambda: sentencepiece([added(0, "<|end|>")], normalizer=None, pre_tokenizer=metaspace("always", True)),
    "gemma": lambda: sentencepiece([added(0, "<|end|>")], normalizer={"type": "Replace", "pattern": {"String": " "}, "content": "▁"},
                                   pre_tokenizer=split({"String": " "}, "MergedWithPrevious"),
                                   decoder={"type": "Sequence", "decoders": SENTENCEPIECE_DECODER["decoders"][:3]}),
}


def files(name):
    tokenizer = CASES[name]()
    return {"tokenizer.json": tokenizer, "tokenizer_config.json": tokenizer_config("PreTrainedTokenizerFast", pad_token="</s>")}


def sentencepiece_model():
    """A tokenizer.model as Llama 2 and Mistral have one."""
    out = io.BytesIO()
    sentencepiece_library.SentencePieceTrainer.train(
        sentence_iterator=(line.rstrip("\n") for line in corpus()), model_writer=out, vocab_size=900, model_type="bpe", byte_fallback=True,
        character_coverage=0.995, normalization_rule_name="identity", remove_extra_whitespaces=False, num_threads=1, minloglevel=2)
    return out.getvalue()


FRAGMENTS = [
    "a", "the", "The", "quantization", "don't", "I'LL", "we'Re", "'s", "'ſ", "x86", "3.14159", "1234567", "١٢٣", "½", "²", "Ⅷ", "\n", "\r\n", "\t", " ",
    "  ", "    ", "\n\n\n", " \n ", "\v", "\f", "\x00.", "\x07", "\x1b[0m", "\x7f", "\x85", "\xa0", "\u1680", "\u180e", "\u2003", "\u2028", "\u200b",
    "\u3000", "\ufeff", "ß", "ÄÖÜ", "naïve", "nai\u0308ve", "e\u0301", "\u0301", "ﬁ", "①", "Ⓐ", "ΑΒΓ", "ς", "Привет", "мир", "שלום", "مرحبا", "नमस्ते",
    "ไทย", "日本語", "世界", "你好", "한국어", "각", "😀", "👨‍👩‍👧", "🇩🇪", "❤️", "𝒳", "\U0001f130", "\U000e0041", "\uffff", "€", "€€", "£5", "…", "—",
    "“q”", "!!!", "?!", "...", "->", "==", "(x)", "[1]", "{", "}", "\\", "\\n", "$1", "$$", "#", "@user", "_", "__init__", "<", ">", "<s>", "</s>", "<unk>",
    "<|user|>", "<|end|>", "<|left|>", "<|right|>", "<|both|>", "<late>", "<two words>", "two words", "<|im_start|>", "<|im_end|>", "<0x0A>", "<0x41>", "<0xff>",
    "▁", "▁▁", "▁the", "Ġ", "Ġthe", "Ċ", "def f(x):\n    return x * 2\n", "for (int i = 0; i < n; ++i) {\n\tsum += a[i];\n}", "http://example.com/?q=1&r=a%20b",
    '{"key": [1, 2.5, null]}', "SELECT * FROM t WHERE a >= 10;", "aaaaaaaa", "        indented", "A", "I", "B2B", "CamelCaseName", "snake_case_name"]


def texts(count=1200):
    """The same every time: nothing, each fragment alone and in spaces, random rows of fragments, lines of prose, and long texts."""
    chance = random.Random(1)
    out = ["", *FRAGMENTS, *(f" {fragment}" for fragment in FRAGMENTS), *(f"{fragment} " for fragment in FRAGMENTS)]
    prose = [line for line in corpus() if line.strip()]
    out += chance.sample(prose, 150)
    while len(out) < count:
        glue = chance.choice(["", " ", chance.choice(FRAGMENTS)])
        out.append(glue.join(chance.choices(FRAGMENTS, k=chance.randint(2, 12))))
    return out + ["".join(prose)[:40000], " " * 5000, "a" * 5000, "ab \n" * 5000, "\n" * 3000 + "<|end|>", "€" * 2000, "1" * 3000, "<" * 3000]
