#!/usr/bin/env python3
"""The main job, measured: one checkpoint of Phi-3.5-mini's shape becomes GGUF Q4_K_M, GGUF Q8_0 and MLX int4 in one pass.

    bench/main_job [--layers N] [--checkpoint FOLDER] [--scratch FOLDER] [--threads N] [--peers]

Prints seconds of upload and job, peak resident memory (VmHWM) of quantd and of the worker, and with --peers the same of
llama-quantize (from a BF16 GGUF of the same weights, which quantd makes first and nobody's time counts) and mlx_lm.convert.
Needs the environment that scripts/test makes, and about 45 GB of disk for 32 layers.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BIN = ROOT / "build" / "release" / "bin"
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tests" / "conformance")]
import make_phi35_shape  # noqa: E402

TARGETS = ["gguf:Q4_K_M", "gguf:Q8_0", "mlx:int4"]


class Server:
    def __init__(self, data, threads):
        command = [BIN / "quantd", "--data-dir", data, "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0",
                   "--worker-threads", str(threads)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.address = re.match(r"ready grpc=(\S+)", self.process.stdout.readline())[1]

    def run(self, *arguments):
        command = [BIN / "quantctl", "--server", self.address, *map(str, arguments)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def peaks(self):
        """MiB by program, since each started."""
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task").iterdir()
        worker = [pid for task in tasks for pid in (task / "children").read_text().split()]
        found = {}
        for name, pid in [("quantd", self.process.pid)] + [("quantd-worker", pid) for pid in worker]:
            status = pathlib.Path(f"/proc/{pid}/status").read_text()
            found[name] = int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) / 1024
        return found

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


def report(what, seconds, memory=None):
    print(f"{what:<44} {seconds:9.1f} s" + (f" {memory:9.0f} MiB" if memory is not None else ""), flush=True)


def timed(function, *arguments):
    begin = time.monotonic()
    result = function(*arguments)
    return time.monotonic() - begin, result


def job(server, model, targets):
    name = server.run("quantize", model, "--to", *targets, "--detach")
    seconds, _ = timed(server.run, "jobs", "watch", name)
    return seconds, json.loads(server.run("-o", "json", "jobs", "show", name))


def run_quantd(options, scratch):
    server = Server(scratch / "data", options.threads)
    try:
        seconds, model = timed(server.run, "upload", options.checkpoint)
        report("quantd: upload", seconds)
        seconds, result = job(server, model, TARGETS)
        report("quantd: job, " + ", ".join(TARGETS), seconds)
        for name, memory in server.peaks().items():
            print(f"{name + ': peak memory':<44} {memory:20.0f} MiB")
        for target in result["results"]:
            print(f"  {target['directory']:<42} {float(target['seconds']):9.1f} s of all threads, {float(target['bits_per_weight']):.3f} bits, "
                  f"relative error {float(target['relative_error']):.5f}")
        if options.peers:
            name = server.run("-o", "json", "quantize", model, "--to", "gguf:BF16", "--output", scratch / "plain")
            server.run("jobs", "delete", json.loads(name)["name"])
    finally:
        server.stop()
    shutil.rmtree(scratch / "data")


def peer(what, code, *arguments):
    """Runs Python code in a process of its own, so that its peak memory is its own."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    begin = time.monotonic()
    process = subprocess.Popen(command, cwd=ROOT / "tests" / "conformance", stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status != 0:
        sys.exit(f"{what} failed")
    report(what, time.monotonic() - begin, usage.ru_maxrss / 1024)


LLAMA_QUANTIZE = """
import sys, llama_cpp_reference
source, target, file_type, threads = sys.argv[1:]
assert llama_cpp_reference.quantize(source, target, file_type, nthread=int(threads))
"""
MLX_CONVERT = """
import sys, mlx.core, mlx_lm
mlx.core.set_default_device(mlx.core.cpu)
mlx_lm.convert(sys.argv[1], sys.argv[2], quantize=True)
"""


def run_peers(options, scratch):
    source = next((scratch / "plain").glob("*/*.gguf"))
    for file_type in ("Q4_K_M", "Q8_0"):
        peer(f"llama-quantize {file_type}", LLAMA_QUANTIZE, source, scratch / "peer.gguf", file_type, options.threads)
        (scratch / "peer.gguf").unlink()
    shutil.rmtree(scratch / "plain")
    peer("mlx_lm.convert, 4 bits", MLX_CONVERT, options.checkpoint, scratch / "peer-mlx")
    shutil.rmtree(scratch / "peer-mlx")


def add_options(parser):
    parser.add_argument("--layers", type=int, default=32)
    parser.add_argument("--checkpoint", type=pathlib.Path, help="a checkpoint that is there already")
    parser.add_argument("--scratch", type=pathlib.Path, default=ROOT / "build" / "bench")
    parser.add_argument("--threads", type=int, default=2)


def prepare(options):
    """Makes the checkpoint unless there is one, and an empty scratch folder."""
    if options.checkpoint is None:
        options.checkpoint = options.scratch / f"phi35-shape-{options.layers}"
        if not (options.checkpoint / "tokenizer_config.json").exists():
            make_phi35_shape.make(options.checkpoint, options.layers)
    scratch = options.scratch / "run"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    size = sum(path.stat().st_size for path in options.checkpoint.glob("*.safetensors"))
    print(f"{options.checkpoint.name}: {size / 1e9:.2f} GB of weights, {options.threads} threads")
    return scratch


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--peers", action="store_true")
    options = parser.parse_args()
    scratch = prepare(options)
    run_quantd(options, scratch)
    if options.peers:
        run_peers(options, scratch)


if __name__ == "__main__":
    main()
