"""quantctl against the real quantd: transfers that are killed and go on, exit codes, output for programs."""
import hashlib
import json
import re
import signal
import subprocess
import time

import numpy as np
import pytest

import checkpoints
from byte_gate import ByteGate

MIB = 1 << 20


@pytest.fixture
def checkpoint(tmp_path):
    folder = tmp_path / "small-model"
    checkpoints.make(folder)
    return folder


@pytest.fixture
def large_checkpoint(checkpoint):
    """Its last file, 24 MiB, is no weight; it is there to be sent."""
    (checkpoint / "large.json").write_bytes(b'"' + np.random.default_rng(2).integers(97, 122, 24 * MIB, np.uint8).tobytes() + b'"')
    return checkpoint


def eventually(predicate, seconds=60):
    end = time.monotonic() + seconds
    while not predicate():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def size_of(folder):
    return sum(path.stat().st_size for path in folder.iterdir())


def test_a_killed_upload_goes_on_and_no_byte_is_sent_twice(service, large_checkpoint):
    gate = ByteGate(service.address, "up", 12 * MIB)
    client = service.start("upload", large_checkpoint, server=gate.address)
    assert gate.held.wait(60)
    client.kill()
    client.communicate()
    gate.close()
    # What came before the kill is durable once the server has seen the stream's end.
    eventually(lambda: service.metric("quant_upload_sessions_active") == 0)
    before = service.metric("quant_upload_bytes_total")
    assert before >= 8 * MIB
    service.check("upload", large_checkpoint)
    assert service.metric("quant_upload_bytes_total") == size_of(large_checkpoint)
    assert service.metric("quant_upload_resumes_total") >= 1


def test_a_killed_fetch_goes_on_with_the_part_file(service, checkpoint, tmp_path):
    out = tmp_path / "out"
    job = service.check("quantize", checkpoint, "--to", "safetensors:fp32", "--detach")
    service.check("jobs", "watch", job)
    files = {file["path"]: file for file in json.loads(service.check("jobs", "show", job, "-o", "json"))["results"][0]["files"]}
    total = sum(int(file["size"]) for file in files.values())
    gate = ByteGate(service.address, "down", total // 2)
    client = service.start("fetch", job, "--output", out, server=gate.address)
    assert gate.held.wait(60)
    part = out / "safetensors-fp32" / "model.safetensors.part"
    eventually(lambda: part.exists() and part.stat().st_size >= total // 4)
    client.kill()
    client.communicate()
    gate.close()
    assert not (out / "safetensors-fp32" / "model.safetensors").exists()
    # The rest fits through a gate that would stop a fetch from the beginning.
    have = sum(path.stat().st_size for path in part.parent.iterdir())
    gate = ByteGate(service.address, "down", total - have + 64 * 1024)
    result = service.run("fetch", job, "--output", out, server=gate.address)
    gate.close()
    assert result.returncode == 0, result.stderr
    for path, file in files.items():
        assert hashlib.sha256((part.parent / path).read_bytes()).hexdigest() == file["sha256"]
    assert not list(out.rglob("*.part"))


def test_a_killed_server_costs_an_upload_no_more_than_a_wait(service, large_checkpoint):
    gate = ByteGate(service.address, "up", 12 * MIB)
    client = service.start("upload", large_checkpoint, server=gate.address)
    assert gate.held.wait(60)
    service.stop(signal.SIGKILL)
    service.start_server(service.address)
    gate.open()
    stdout, stderr = client.communicate(timeout=60)
    gate.close()
    assert client.returncode == 0, stderr
    assert json.loads(service.check("-o", "json", "models", "show", stdout.strip()))["state"] == "READY"
    # What this server got is what the killed one had not on its disk.
    assert service.metric("quant_upload_bytes_total") < size_of(large_checkpoint)


def test_a_damaged_part_file_is_fetched_anew(service, checkpoint, tmp_path):
    job = service.check("quantize", checkpoint, "--to", "gguf:Q8_0", "--output", tmp_path / "first", "-o", "json")
    [whole] = (tmp_path / "first" / "gguf-Q8_0").glob("*.gguf")
    part = tmp_path / "second" / "gguf-Q8_0" / f"{whole.name}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * (whole.stat().st_size // 2))
    service.check("fetch", json.loads(job)["name"], "--output", tmp_path / "second")
    assert (part.parent / whole.name).read_bytes() == whole.read_bytes()
    assert not part.exists()


def test_an_interrupt_cancels_the_job(service, tmp_path):
    checkpoints.make(tmp_path / "model", checkpoints.Shape(layers=20))
    model = service.check("upload", tmp_path / "model")
    service.make_disk_slow()
    client = service.start("quantize", model, "--to", "gguf:Q4_K_M", "--output", tmp_path / "out")
    eventually(lambda: json.loads(service.check("-o", "json", "jobs", "list", "--state", "RUNNING")).get("jobs"))
    client.send_signal(signal.SIGINT)
    client.communicate(timeout=60)
    assert client.returncode == 1
    [job] = json.loads(service.check("-o", "json", "jobs", "list"))["jobs"]
    assert job["state"] == "CANCELLED"
    assert not (tmp_path / "out").exists()


def test_complete_files_are_not_fetched_again(service, checkpoint, tmp_path):
    job = service.check("quantize", checkpoint, "--to", "gguf:Q8_0", "--detach")
    service.check("jobs", "watch", job)
    service.check("fetch", job, "--output", tmp_path / "out")
    gate = ByteGate(service.address, "down", 64 * 1024)
    assert service.run("fetch", job, "--output", tmp_path / "out", server=gate.address).returncode == 0
    gate.close()


def test_fetch_takes_one_target_by_its_text_or_its_folder(service, checkpoint, tmp_path):
    job = service.check("quantize", checkpoint, "--to", "gguf:Q8_0", "mlx:int4", "--detach")
    service.check("jobs", "watch", job)
    service.check("fetch", job, "--target", "mlx:int4", "--output", tmp_path / "a")
    service.check("fetch", job, "--target", "gguf-Q8_0", "--output", tmp_path / "b")
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["mlx-int4"]
    assert [p.name for p in (tmp_path / "b").iterdir()] == ["gguf-Q8_0"]
    unknown = service.run("fetch", job, "--target", "onnx:int4", "--output", tmp_path / "c")
    assert unknown.returncode == 4
    assert "gguf:Q8_0 (gguf-Q8_0), mlx:int4 (mlx-int4)" in unknown.stderr
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize("arguments", [["-o", "json", "quantize"], ["quantize", "-o", "json"]])
def test_json_is_one_document_wherever_the_flag_stands(service, checkpoint, tmp_path, arguments):
    stdout = service.check(*arguments, checkpoint, "--to", "gguf:Q8_0", "--output", tmp_path / "out")
    assert json.loads(stdout)["state"] == "SUCCEEDED"
    assert (tmp_path / "out" / "gguf-Q8_0").is_dir()


def test_watch_prints_one_json_object_a_line(service, checkpoint):
    job = service.check("quantize", checkpoint, "--to", "gguf:Q8_0", "--detach")
    events = [json.loads(line) for line in service.check("jobs", "watch", job, "-o", "json").splitlines()]
    assert [int(event["revision"]) for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["type"] == "SUCCEEDED"


def test_files_that_are_no_part_of_the_checkpoint_stay_out(service, checkpoint, tmp_path):
    (tmp_path / "secret.json").write_text("{}")
    (checkpoint / "linked.json").symlink_to(tmp_path / "secret.json")
    (checkpoint / ".hidden.json").write_text("{}")
    (checkpoint / "pytorch_model.bin").write_bytes(b"x")
    (checkpoint / "onnx").mkdir()
    result = service.run("upload", checkpoint)
    assert result.returncode == 0, result.stderr
    for skipped in ("linked.json", "pytorch_model.bin", "onnx/"):
        assert f"skipping {skipped}: " in result.stderr
    sent = {file["path"] for file in json.loads(service.check("-o", "json", "models", "show", result.stdout.strip()))["files"]}
    assert sent == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}


def test_exit_codes(service, checkpoint, tmp_path):
    def code(*arguments, server=None):
        result = service.run(*arguments, server=server)
        assert result.returncode != 0
        assert len(result.stderr.strip().splitlines()) == 1, result.stderr
        return result.returncode

    model = service.check("upload", checkpoint)
    (tmp_path / "empty").mkdir()
    assert code("nonsense") == 2
    assert code("quantize", model) == 2
    assert code("quantize", model, "--to", "gguf:Q8_0", "--label", "nonsense") == 2
    assert code("-o", "yaml", "models", "list") == 2
    began = time.monotonic()
    assert code("models", "list", server="127.0.0.1:1") == 3
    assert time.monotonic() - began < 10
    assert code("models", "show", "none") == 4
    assert code("jobs", "watch", "jobs/none") == 4
    assert code("fetch", "jobs/none") == 4
    assert code("plan", "models/none", "--to", "gguf:Q8_0") == 4
    assert code("upload", tmp_path / "none") == 4
    assert code("upload", tmp_path / "empty") == 6
    assert code("plan", model, "--to", "gguf:Q8_0,nonsense=1") == 6


def test_formats_ends_with_what_the_workers_encode_on(service):
    assert re.search(r"\nEncodes on: (cuda:.*; )?cpu (scalar|sse4|avx2|avx512)$", service.check("formats"))


def test_lists_are_filtered_and_paged(service, checkpoint):
    model = service.check("upload", checkpoint)
    jobs = [service.check("quantize", model, "--to", "gguf:Q8_0", "--label", f"n={i}", "--detach") for i in range(3)]
    page = json.loads(service.check("-o", "json", "jobs", "list", "--page-size", 2))
    assert [job["name"] for job in page["jobs"]] == [jobs[2], jobs[1]]
    rest = json.loads(service.check("-o", "json", "jobs", "list", "--page-size", 2, "--page-token", page["next_page_token"]))
    assert [job["name"] for job in rest["jobs"]] == [jobs[0]]
    labelled = json.loads(service.check("-o", "json", "jobs", "list", "--label", "n=1"))
    assert [job["name"] for job in labelled["jobs"]] == [jobs[1]]
    assert service.check("quantize", model, "--to", "gguf:Q8_0", "--request-id", "same", "--detach") == service.check(
        "quantize", model, "--to", "gguf:Q8_0", "--request-id", "same", "--detach")


def test_bash_completes_commands_flags_and_values(service):
    def complete(*words):
        script = ('source <("$1" completion bash); shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _quantctl; '
                  'echo "${COMPREPLY[@]}"')
        command = ["bash", "-c", script, "bash", service.program, "quantctl", *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()

    assert complete("mo") == ["models"]
    assert complete("jobs", "") and {"list", "show", "watch", "cancel", "delete"} <= set(complete("jobs", ""))
    assert complete("--server", "jobs", "models", "s") == ["show"]
    assert complete("quantize", "--allow") == ["--allow-requantize"]
    assert complete("-o", "j") == ["json"]


def test_health_is_for_probes(service):
    assert service.check("health") == "SERVING"
    assert json.loads(service.check("-o", "json", "health")) == {"status": "SERVING"}
    service.stop()
    result = service.run("health")
    assert result.returncode == 3 and service.address in result.stderr
