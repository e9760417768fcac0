"""quantd, its worker and quantctl together, as a user runs them."""
import hashlib
import json
import signal
import time

import mlx.core as mx
import numpy as np
import pytest

import checkpoints
import safetensors_files


@pytest.fixture
def checkpoint(tmp_path):
    folder = tmp_path / "small-model"
    return folder, checkpoints.make(folder)


def test_one_job_writes_every_target_and_manifests_tell_the_truth(service, checkpoint, tmp_path):
    folder, weights = checkpoint
    out = tmp_path / "out"
    service.check("quantize", folder, "--to", "gguf:Q4_K_M", "mlx:int4", "mlx:int4,group_size=32", "safetensors:bf16", "--output", out)
    assert sorted(p.name for p in out.iterdir()) == ["gguf-Q4_K_M", "mlx-int4", "mlx-int4-2", "safetensors-bf16"]
    for target in out.iterdir():
        manifest = json.loads((target / "quantd-manifest.json").read_text())
        for file in manifest["files"]:
            content = (target / file["path"]).read_bytes()
            assert hashlib.sha256(content).hexdigest() == file["sha256"] and len(content) == file["size"]
    planes = safetensors_files.read(out / "mlx-int4")
    for name, array in weights.items():
        if array.ndim == 1:
            assert planes[name] == ("F16", list(array.shape), array.tobytes())
            continue
        quantized = mx.quantize(mx.array(array), group_size=64, bits=4, stream=mx.cpu)
        for suffix, expected in zip((".weight", ".scales", ".biases"), map(np.array, quantized)):
            assert planes[name.replace(".weight", suffix)][1:] == (list(expected.shape), expected.tobytes())


def test_a_job_of_three_formats_reads_the_weights_once(service, checkpoint, tmp_path):
    folder, _ = checkpoint
    service.check("quantize", folder, "--to", "gguf:Q4_K_M", "mlx:int4", "onnx:int4", "--output", tmp_path / "out")
    weights = (folder / "model.safetensors").stat().st_size
    deadline = time.monotonic() + 30  # a worker's last figures come when its result has been stored
    while service.metric("quant_source_bytes_read_total") < weights and time.monotonic() < deadline:
        pass
    assert weights <= service.metric("quant_source_bytes_read_total") < 1.5 * weights  # headers and small files too


def test_a_gguf_file_is_a_model_too(service, checkpoint, tmp_path):
    folder, _ = checkpoint
    service.check("quantize", folder, "--to", "gguf:F16", "gguf:Q8_0", "gguf:Q4_K_M", "--output", tmp_path / "first")
    [plain], [quantized] = ((tmp_path / "first" / f"gguf-{scheme}").glob("*.gguf") for scheme in ("F16", "Q8_0"))
    assert json.loads(service.check("-o", "json", "inspect", plain))["architecture"] == "LlamaForCausalLM"
    service.check("quantize", plain, "--to", "gguf:Q4_K_M", "mlx:int4", "--output", tmp_path / "second")
    [direct], [through] = ((tmp_path / run / "gguf-Q4_K_M").glob("*.gguf") for run in ("first", "second"))
    assert direct.read_bytes() == through.read_bytes()
    refused = service.run("quantize", quantized, "--to", "gguf:Q4_0", "--output", tmp_path / "third")
    assert refused.returncode == 6 and "allow_requantize" in refused.stderr
    service.check("quantize", quantized, "--to", "gguf:Q4_0", "--allow-requantize", "--output", tmp_path / "third")


def test_the_same_bytes_are_uploaded_once(service, checkpoint):
    folder, _ = checkpoint
    first = service.check("upload", folder)
    second = service.run("upload", folder)
    assert second.stdout.strip() != first
    assert "uploading" not in second.stderr


def test_a_killed_server_keeps_models_and_finishes_jobs(service, checkpoint, tmp_path):
    folder, _ = checkpoint
    model = service.check("upload", folder)
    job = service.check("quantize", model, "--to", "gguf:Q4_K_M", "--detach")
    service.stop(signal.SIGKILL)
    service.start_server(service.address)
    assert "SUCCEEDED" in service.check("jobs", "watch", job)
    service.check("fetch", job, "--output", tmp_path / "out")
    assert (tmp_path / "out" / "gguf-Q4_K_M" / "quantd-manifest.json").exists()


def test_sigterm_drains_and_ends_with_zero(service):
    assert service.stop() == 0


def test_exit_codes_tell_what_went_wrong(service, checkpoint, tmp_path):
    folder, _ = checkpoint
    model = service.check("upload", folder)
    assert service.run("models", "show", "models/none").returncode == 4
    assert service.run("jobs", "show", "jobs/none").returncode == 4
    assert service.run("plan", model, "--to", "gguf:Q9").returncode == 6
    assert service.run("plan", model, "--to", "gguf").returncode == 2
    assert service.run("nonsense").returncode == 2
    assert service.run("upload", tmp_path / "none").returncode == 4
    assert service.run("plan", model, "--to", "gguf:Q4_0,tensor_type=nothing=Q8_0").returncode == 6


def broken_config(folder, weights):
    (folder / "config.json").write_text("{")
    return "config.json"


def unknown_architecture(folder, weights):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"architectures": ["GPT2LMHeadModel"]}))
    return "known are LlamaForCausalLM, Phi3ForCausalLM"


def missing_tensor(folder, weights):
    checkpoints.write_safetensors(folder / "model.safetensors", "F16", {k: v for k, v in weights.items() if k != "model.norm.weight"})
    return "model.norm.weight"


def truncated_weights(folder, weights):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    return "model.safetensors"


@pytest.mark.parametrize("damage", [broken_config, unknown_architecture, missing_tensor, truncated_weights])
def test_bad_checkpoints_are_refused_by_name(service, checkpoint, damage):
    folder, weights = checkpoint
    named = damage(folder, weights)
    result = service.run("upload", folder)
    assert result.returncode == 6
    assert named in result.stderr


def test_a_weight_that_is_not_finite_is_named_and_nothing_is_left(service, checkpoint, tmp_path):
    folder, weights = checkpoint
    weights["model.layers.1.mlp.down_proj.weight"][3, 5] = np.inf
    checkpoints.write_safetensors(folder / "model.safetensors", "F16", weights)
    result = service.run("quantize", folder, "--to", "gguf:Q8_0", "--output", tmp_path / "out")
    assert result.returncode == 6
    assert f"model.layers.1.mlp.down_proj.weight has a weight that is not finite at index {3 * checkpoints.Shape().wide + 5}" in result.stderr
    assert not list((tmp_path / "data" / "objects").glob("artifacts/**/*.gguf"))
