#!/usr/bin/env python3
"""The whole job against llama.cpp, in alternating runs: one BF16 checkpoint to GGUF Q4_K_M.

    bench/peers.sh [--layers N] [--checkpoint FOLDER] [--scratch FOLDER] [--threads N] [--rounds N]

A round is llama.cpp's converter and llama-quantize, one after the other, then a job of quantd on the checkpoint that it stores
(the upload is measured once, and apart). Prints seconds and peak resident memory of each, and each round's ratio.
"""
import argparse
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import time

import main_job
from main_job import ROOT

CONVERTER = [ROOT / "build" / "convert-venv" / "bin" / "python", ROOT / "build" / "llama.cpp" / "convert_hf_to_gguf.py"]


def run(what, command):
    """Seconds of a process that is waited for; prints them with its peak memory."""
    begin = time.monotonic()
    process = subprocess.Popen(list(map(str, command)), cwd=ROOT / "tests" / "conformance", stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status != 0:
        sys.exit(f"{what} failed: {command}")
    seconds = time.monotonic() - begin
    main_job.report(what, seconds, usage.ru_maxrss / 1024)
    return seconds


def run_llama_cpp(options, scratch):
    plain, output = scratch / "plain.gguf", scratch / "peer.gguf"
    seconds = run("llama.cpp: convert_hf_to_gguf.py", [*CONVERTER, options.checkpoint, "--outtype", "bf16", "--outfile", plain])
    seconds += run("llama.cpp: llama-quantize Q4_K_M",
                   [sys.executable, "-c", main_job.LLAMA_QUANTIZE, plain, output, "Q4_K_M", options.threads])
    plain.unlink()
    output.unlink()
    return seconds


def run_quantd(server, model):
    seconds, result = main_job.job(server, model, ["gguf:Q4_K_M"])
    main_job.report("quantd: job", seconds, server.peaks()["quantd-worker"])
    server.run("jobs", "delete", result["name"])
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    main_job.add_options(parser)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    scratch = main_job.prepare(options)
    server = main_job.Server(scratch / "data", options.threads)
    try:
        seconds, model = main_job.timed(server.run, "upload", options.checkpoint)
        main_job.report("quantd: upload", seconds)
        ratios = []
        for number in range(options.rounds):
            peer = run_llama_cpp(options, scratch)
            ratios.append(peer / run_quantd(server, model))
            print(f"round {number + 1}: llama.cpp takes {ratios[-1]:.1f} times as long", flush=True)
        print(f"median of {options.rounds} rounds: {statistics.median(ratios):.1f}")
    finally:
        server.stop()
    shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
