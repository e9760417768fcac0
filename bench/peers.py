#!/usr/bin/env python3
"""The whole job against another tool, in alternating runs on one BF16 checkpoint.

    bench/peers.sh [llama.cpp|onnx|openvino] [--layers N] [--checkpoint FOLDER] [--scratch FOLDER] [--threads N] [--rounds N] [--cold]

llama.cpp (the default): its converter and llama-quantize, one after the other, beside gguf:Q4_K_M. onnx: onnxruntime-genai's model
builder, int4 for the CPU, beside onnx:int4. openvino: optimum-cli, beside openvino:int4 of the same settings. A round is the other
tool's run, then a job of quantd on the checkpoint that it stores (the upload is measured once, and apart). What a tool reads is in the
page cache when it starts, as after a download, or with --cold on the disk alone. Prints seconds and peak resident memory of each, and
each round's ratio.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import time

import main_job
from main_job import ROOT

CONVERTER = [ROOT / "build" / "convert-venv" / "bin" / "python", ROOT / "build" / "llama.cpp" / "convert_hf_to_gguf.py"]
BUILDER = [ROOT / "build" / "onnx-venv" / "bin" / "python", "-m", "onnxruntime_genai.models.builder"]
OPTIMUM = [ROOT / "build" / "openvino-venv" / "bin" / "optimum-cli"]


def settle(folder, cold):
    """Brings the large files of a folder into the page cache, or out of it."""
    for path in folder.rglob("*"):
        if not path.is_file() or path.stat().st_size < 1 << 20:
            continue
        with open(path, "rb", buffering=0) as file:
            os.fsync(file.fileno())
            if cold:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            else:
                while file.read(1 << 22):
                    pass


def run(what, command):
    """Seconds of a process that is waited for; prints them with its peak memory."""
    begin = time.monotonic()
    process = subprocess.Popen(list(map(str, command)), cwd=ROOT / "tests" / "conformance", stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, env=os.environ | {"HF_HUB_OFFLINE": "1"})
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


def run_onnx_builder(options, scratch):
    output, cache = scratch / "peer-onnx", scratch / "cache"
    seconds = run("onnxruntime-genai: model builder, int4",
                  [*BUILDER, "-i", options.checkpoint, "-o", output, "-p", "int4", "-e", "cpu", "-c", cache])
    shutil.rmtree(output)
    return seconds


def run_optimum(options, scratch):
    output = scratch / "peer-openvino"
    seconds = run("optimum-intel: int4, ratio 0.6",
                  [*OPTIMUM, "export", "openvino", "-m", options.checkpoint, "--task", "text-generation-with-past", "--weight-format", "int4",
                   "--group-size", "128", "--ratio", "0.6", "--sym", output])
    shutil.rmtree(output)
    return seconds


# What runs, and our target beside it. optimum-cli can't make a tokenizer for a checkpoint that has none, and ours is left out then.
PEERS = {"llama.cpp": (run_llama_cpp, "gguf:Q4_K_M"), "onnx": (run_onnx_builder, "onnx:int4"),
         "openvino": (run_optimum, "openvino:int4,group_size=128,ratio=0.6,symmetric=true,tokenizer=none")}


def run_quantd(server, model, target):
    seconds, result = main_job.job(server, model, [target])
    main_job.report(f"quantd: job, {target}", seconds, server.peaks()["quantd-worker"])
    server.run("jobs", "delete", result["name"])
    return seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peer", nargs="?", choices=PEERS, default="llama.cpp")
    main_job.add_options(parser)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cold", action="store_true", help="what is read is not in the page cache")
    options = parser.parse_args()
    run_peer, target = PEERS[options.peer]
    scratch = main_job.prepare(options)
    server = main_job.Server(scratch / "data", options.threads)
    try:
        seconds, model = main_job.timed(server.run, "upload", options.checkpoint)
        main_job.report("quantd: upload", seconds)
        ratios = []
        for number in range(options.rounds):
            settle(options.checkpoint, options.cold)
            peer = run_peer(options, scratch)
            settle(scratch / "data", options.cold)
            ratios.append(peer / run_quantd(server, model, target))
            print(f"round {number + 1}: {options.peer} takes {ratios[-1]:.1f} times as long", flush=True)
        print(f"median of {options.rounds} rounds: {statistics.median(ratios):.1f}")
    finally:
        server.stop()
    shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
