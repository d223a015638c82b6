"""Published checkpoints as transformers models: the same numbers as the state dict in plain torch."""

import json
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from torch.nn.functional import linear
from typer.testing import CliRunner

from emo3d.cli import app
from emo3d.generation import ClipExpressionModel, load_generator
from emo3d_lab.training.convert import convert

OFFICIAL = Path(__file__).resolve().parents[3] / "shared" / "official" / "CLIP_Baseline.pth"
# FACTS.md, section 3
SHAPES = {"network.0": (256, 512), "network.2": (128, 256), "network.4": (51, 128)}
VAE_SHAPES = {
    "encoder.0": (256, 51),
    "fc_mu": (512, 256),
    "fc_logvar": (512, 256),
    "decoder.0": (256, 512),
    "decoder.3": (51, 256),
}


def random_state(shapes, seed=0):
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, (rows, columns) in shapes.items():
        state[f"{name}.weight"] = torch.randn(rows, columns, generator=generator) / columns**0.5
        state[f"{name}.bias"] = torch.randn(rows, generator=generator)
    return state


def embeddings(rows=16):
    return 10 * torch.nn.functional.normalize(torch.randn(rows, 512, generator=torch.Generator().manual_seed(1)))


def clip_baseline(state, given):
    """Linear, ReLU, linear, ReLU, linear, sigmoid, as the publication's head is described."""
    hidden = linear(given, state["network.0.weight"], state["network.0.bias"]).relu()
    hidden = linear(hidden, state["network.2.weight"], state["network.2.bias"]).relu()
    return linear(hidden, state["network.4.weight"], state["network.4.bias"]).sigmoid()


def saved(tmp_path, state, name="checkpoint.pth"):
    torch.save(state, tmp_path / name)
    return tmp_path / name


@pytest.mark.skipif(not OFFICIAL.exists(), reason="needs the released CLIP_Baseline.pth")
def test_the_released_clip_baseline(tmp_path):
    done = CliRunner().invoke(app, ["convert", str(OFFICIAL), str(tmp_path / "clip")])
    assert done.exit_code == 0, done.output
    assert "ClipExpressionModel" in done.output
    model = load_generator(tmp_path / "clip")
    expected = clip_baseline(torch.load(OFFICIAL, map_location="cpu", weights_only=True), embeddings())
    torch.testing.assert_close(model(embeddings()).expressions, expected, atol=1e-6, rtol=0)
    assert (model.config.space, model.config.normalize) == ("reading", False)


def test_what_is_written(tmp_path):
    state = random_state(SHAPES)
    model = convert(saved(tmp_path, state), tmp_path / "out", backbone="someone/clip")
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.suffix != ".py") == [
        "README.md",
        "config.json",
        "model.safetensors",
    ]
    written = load_file(tmp_path / "out" / "model.safetensors")
    assert written.keys() == state.keys()
    assert all(torch.equal(written[key], state[key]) for key in state)
    assert isinstance(model, ClipExpressionModel)
    _, header, text = (tmp_path / "out" / "README.md").read_text().split("---\n", 2)
    assert yaml.safe_load(header)["license"] == "mit"
    assert yaml.safe_load(header)["base_model"] == "someone/clip"
    assert "checkpoint.pth" in text
    assert "| `network.0.weight` | 256 x 512 |" in text
    with pytest.raises(ValueError, match="new or empty folder"):
        convert(tmp_path / "checkpoint.pth", tmp_path / "out")


def test_a_vae_clip_checkpoint(tmp_path):
    state = random_state(VAE_SHAPES)
    convert(saved(tmp_path, state, "vae.pt"), tmp_path / "vae")
    model = load_generator(tmp_path / "vae")
    hidden = linear(embeddings(), state["decoder.0.weight"], state["decoder.0.bias"]).relu()
    expected = linear(hidden, state["decoder.3.weight"], state["decoder.3.bias"]).sigmoid()
    torch.testing.assert_close(model.decoder(embeddings()), expected, atol=1e-6, rtol=0)
    scores = expected  # any expressions do
    hidden = linear(scores, state["encoder.0.weight"], state["encoder.0.bias"]).relu()
    latent = linear(hidden, state["fc_mu.weight"], state["fc_mu.bias"])
    torch.testing.assert_close(model(scores).latent, latent, atol=1e-6, rtol=0)
    with pytest.raises(ValueError, match=r"no ClipExpressionModel as published: network\.0\.weight is missing.*fc_mu"):
        convert(tmp_path / "vae.pt", tmp_path / "out", "clip")


def without(state, key):
    return {name: tensor for name, tensor in state.items() if name != key}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: without(state, "network.2.bias"), "network.2.bias is missing"),
        (lambda state: {**state, "network.6.bias": torch.zeros(3)}, "network.6.bias is not expected"),
        (
            lambda state: {**state, "network.4.bias": torch.zeros(52)},
            r"network.4.bias has shape \(52,\) instead of \(51,\)",
        ),
        (lambda state: {**state, "network.0.bias": torch.full((256,), np.nan)}, "network.0.bias .* not finite"),
        (lambda state: {"a": torch.zeros(1)}, "expected the keys of clip.*, got a in checkpoint.pth"),
        (lambda state: {"epoch": 3, "model": state}, "got a dict"),
        (lambda state: [1, 2], "got a list"),
    ],
)
def test_checkpoints_that_are_something_else(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        convert(saved(tmp_path, change(random_state(SHAPES))), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def keras_file(path, state, activations=("relu", "relu", "sigmoid"), names=("dense_7", "hidden", "zz"), whole=True):
    """A file laid out as Keras 2.15 and 3.15 write `model.save("x.h5")`, or, not whole, the weights alone."""
    h5py = pytest.importorskip("h5py", reason="needs the extra [convert]")
    with h5py.File(path, "w") as file:
        group = file.create_group("model_weights") if whole else file
        group.attrs["layer_names"] = [b"input_1", *(name.encode() for name in names[:2]), b"drop", names[2].encode()]
        for layer in (b"input_1", b"drop"):
            group.create_group(layer).attrs["weight_names"] = np.array([], "S1")
        for name, key in zip(names, SHAPES, strict=True):
            layer = group.create_group(name)
            layer.attrs["weight_names"] = [f"{name}/kernel:0".encode(), f"{name}/bias:0".encode()]
            layer[f"{name}/kernel:0"] = state[f"{key}.weight"].numpy().T
            layer[f"{name}/bias:0"] = state[f"{key}.bias"].numpy()
        if whole:
            dense = [{"class_name": "Dense", "config": {"activation": name}} for name in activations]
            layers = [{"class_name": "InputLayer", "config": {}}, *dense]
            file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": {"layers": layers}})
    return path


@pytest.mark.parametrize("whole", [True, False])
def test_a_keras_file(tmp_path, whole):
    state = random_state(SHAPES)
    model = convert(keras_file(tmp_path / "web.h5", state, whole=whole), tmp_path / "out")
    expected = clip_baseline(state, embeddings())
    torch.testing.assert_close(model(embeddings()).expressions, expected, atol=1e-6, rtol=0)
    assert isinstance(load_generator(tmp_path / "out"), ClipExpressionModel)


def test_keras_files_that_are_something_else(tmp_path, monkeypatch):
    state = random_state(SHAPES)
    path = tmp_path / "web.h5"
    keras_file(path, state, activations=["relu", "tanh", "softmax"])
    with pytest.raises(ValueError, match=r"expected the activations relu, relu, sigmoid, got relu, tanh, softmax"):
        convert(path, tmp_path / "out")
    keras_file(path, {**state, "network.2.weight": torch.zeros(128, 100)})
    with pytest.raises(ValueError, match=r"network\.2\.weight has shape \(128, 100\) instead of \(128, 256\)"):
        convert(path, tmp_path / "out")
    import h5py

    h5py.File(path, "w").close()
    with pytest.raises(ValueError, match="list of layers"):
        convert(path, tmp_path / "out")
    path.write_text("no HDF5")
    with pytest.raises(ValueError, match=r"expected an HDF5 file of Keras, web\.h5 is none"):
        convert(path, tmp_path / "out")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(OSError, match=r"pip install \"emo3d\[convert\]"):
        convert(path, tmp_path / "out")


def outside(path, how, secret):
    """A Keras file whose first weights lie in another file, or are led to by a link."""
    h5py = pytest.importorskip("h5py", reason="needs the extra [convert]")
    keras_file(path, random_state(SHAPES))
    with h5py.File(path, "r+") as file:
        layer = file["model_weights/dense_7"]
        if how == "soft link to the layer":
            file.move("model_weights/dense_7", "elsewhere")
            file["model_weights/dense_7"] = h5py.SoftLink("/elsewhere")
            return path
        kernel = layer["dense_7"]
        del kernel["kernel:0"]
        if how == "external storage":
            kernel.create_dataset("kernel:0", (512, 256), "f4", external=[(str(secret), 0, h5py.h5f.UNLIMITED)])
        elif how == "virtual dataset":
            layout = h5py.VirtualLayout((512, 256), "f4")
            layout[:] = h5py.VirtualSource(str(secret), "x", (512, 256))
            kernel.create_virtual_dataset("kernel:0", layout)
        elif how == "external link":
            kernel["kernel:0"] = h5py.ExternalLink(str(secret), "x")
    return path


@pytest.mark.parametrize("how", ["external storage", "virtual dataset", "external link", "soft link to the layer"])
def test_a_keras_file_whose_weights_lie_elsewhere(tmp_path, how):
    h5py = pytest.importorskip("h5py", reason="needs the extra [convert]")
    secret = tmp_path / "secret.h5"
    if how == "external storage":
        secret.write_bytes(bytes(512 * 256 * 4))
    else:
        with h5py.File(secret, "w") as file:
            file["x"] = np.zeros((512, 256), "f4")
    with pytest.raises(ValueError, match=r"expected its weights in the file itself"):
        convert(outside(tmp_path / "web.h5", how, secret), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_small_keras_file_that_says_it_is_large(tmp_path):
    h5py = pytest.importorskip("h5py", reason="needs the extra [convert]")
    keras_file(tmp_path / "web.h5", random_state(SHAPES))
    with h5py.File(tmp_path / "web.h5", "r+") as file:
        kernel = file["model_weights/dense_7/dense_7"]
        del kernel["kernel:0"]
        kernel.create_dataset("kernel:0", (100_000, 100_000), "f4", chunks=(1000, 1000))  # 40 GB of zeros
    with pytest.raises(ValueError, match="too small for 40,000,000,000 bytes"):
        convert(tmp_path / "web.h5", tmp_path / "out")


def test_what_is_no_checkpoint(tmp_path):
    (tmp_path / "x.csv").write_text("a\n")
    with pytest.raises(ValueError, match=r"expected a checkpoint, a file of \.pth, .*, got x\.csv"):
        convert(tmp_path / "x.csv", tmp_path / "out")
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file is a file"):
        convert(saved(tmp_path, {}), tmp_path / "file")


class Trap:
    def __reduce__(self):
        return (Path.touch, (Path("ran"),))


@pytest.mark.parametrize("write", [torch.save, lambda trap, path: path.write_bytes(pickle.dumps(trap, protocol=2))])
def test_code_in_a_checkpoint_is_not_run(tmp_path, monkeypatch, write):
    monkeypatch.chdir(tmp_path)
    write(Trap(), tmp_path / "trap.pth")
    with pytest.raises(ValueError, match=r"trap\.pth is none, or holds code, and was not run"):
        convert(tmp_path / "trap.pth", tmp_path / "out")
    assert not (tmp_path / "ran").exists()


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "empty.pth").touch()
    (tmp_path / "broken.pth").write_bytes(b"PK\x03\x04 cut off")
    for name in ("empty.pth", "broken.pth"):
        with pytest.raises(ValueError, match=f"{name} cannot be read"):
            convert(tmp_path / name, tmp_path / "out")
    with pytest.raises(ValueError, match="expected a kind of clip"):
        convert(tmp_path / "empty.pth", tmp_path / "out", "bert")
    with pytest.raises(FileNotFoundError):
        convert(tmp_path / "nothing.pth", tmp_path / "out")
