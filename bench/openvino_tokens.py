#!/usr/bin/env python3
"""Tokens per second of two OpenVINO folders of one model, ours and a peer's, in alternating runs of LLMPipeline on the CPU.

    build/venv/bin/python bench/openvino_tokens.py OURS PEERS [--rounds N] [--tokens N]

Prints each one's median rate and the median of the rounds' ratios, ours to the peer's. Folders of the peer: see bench/peers.sh openvino,
whose environment has optimum-cli.
"""
import argparse
import statistics
import time

import openvino_genai

PROMPT = "A short history of the lighthouse, from the first fires on hills to lamps that nobody keeps: "


def rate(pipeline, tokens):
    begin = time.monotonic()
    pipeline.generate(PROMPT, max_new_tokens=tokens, ignore_eos=True, apply_chat_template=False)
    return tokens / (time.monotonic() - begin)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ours")
    parser.add_argument("peers")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--tokens", type=int, default=64)
    options = parser.parse_args()
    pipelines = [openvino_genai.LLMPipeline(folder, "CPU") for folder in (options.ours, options.peers)]
    for pipeline in pipelines:
        rate(pipeline, options.tokens)
    rounds = [[rate(pipeline, options.tokens) for pipeline in pipelines] for _ in range(options.rounds)]
    for name, rates in zip(("ours", "peer's"), zip(*rounds)):
        print(f"{name}: {statistics.median(rates):.1f} tokens/s")
    print(f"median ratio of {options.rounds} rounds: {statistics.median(ours / peers for ours, peers in rounds):.3f}")


if __name__ == "__main__":
    main()
