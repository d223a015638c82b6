"""Checkpoints of the published baselines -> transformers models: safetensors, a configuration and a card."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from emo3d.backbones import DEFAULT_BACKBONE
from emo3d.documents import parse_json
from emo3d.encoders import no_bars
from emo3d.files import check_output_folder
from emo3d_lab.generators.clip import BackboneModel
from emo3d_lab.training.cards import converted_card
from emo3d_lab.training.recipe import MODELS

_MODELS: dict[str, Any] = {"clip": MODELS["clip"], "vae-clip": MODELS["vae-clip"], "keras": MODELS["clip"]}
_ACTIVATIONS = ["relu", "relu", "sigmoid"]
KINDS = tuple(_MODELS)
SUFFIXES = (".pth", ".pt", ".bin", ".ckpt", ".h5", ".hdf5")


def convert(
    checkpoint: str | Path, out: str | Path, kind: str | None = None, *, backbone: str = DEFAULT_BACKBONE
) -> BackboneModel:
    """Write a checkpoint of the release as a model for `from_pretrained`.

    Args:
        checkpoint: a state dict written by `torch.save`, which is read as tensors, code in it is refused; or an HDF5
            file of Keras (.h5, extra `convert`), with the three dense layers of the CLIP baseline in its layer list.
        out: a new or empty folder, for `model.safetensors`, `config.json`, the model's code and `README.md`.
        kind: one of `KINDS`; by default `"keras"` for .h5, otherwise the one whose keys the checkpoint has.
        backbone: the dual encoder on whose embeddings the checkpoint was trained.

    Returns:
        The model, in evaluation mode. It answers as the checkpoint does, in the space of readings.

    Raises:
        ValueError: an unknown kind, a checkpoint that holds something else than tensors, or one with a key that is
            missing, extra, misshapen or not finite; the message names each. A folder that is not empty.
        OSError: the checkpoint cannot be read, or is one of Keras and h5py is not installed.
    """
    source, folder = Path(checkpoint), Path(out)
    if source.suffix.lower() not in SUFFIXES:
        raise ValueError(f"expected a checkpoint, a file of {', '.join(SUFFIXES)}, got {source.name}")
    if not source.is_file():
        raise FileNotFoundError(f"no such file: {source}")
    if kind is not None and kind not in KINDS:
        raise ValueError(f"expected a kind of {', '.join(KINDS)}, got {kind!r}")
    check_output_folder(folder, empty=True)
    if kind is None and source.suffix.lower() in (".h5", ".hdf5"):
        kind = "keras"
    state = _read_keras(source) if kind == "keras" else _read_torch(source)
    kind = kind or _kind_of(state, source.name)
    model_class = _MODELS[kind]
    model = model_class(model_class.config_class(backbone=backbone)).eval()
    _check(state, model.state_dict(), f"{source.name} is no {model_class.__name__} as published")
    model.load_state_dict(state)
    with no_bars():
        model.save_pretrained(folder)
    card = converted_card(model, "clip" if kind == "keras" else kind, source, folder.name)
    (folder / "README.md").write_text(card, encoding="utf-8")
    return model


def _read_torch(path: Path) -> dict[str, torch.Tensor]:
    _check_archive(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"expected a state dict, tensors by name; {path.name} is none, or holds code, and was not run"
        ) from error
    except Exception as error:  # a broken archive, an empty file; damage within it comes to nearly anything
        raise ValueError(f"expected a file of torch.save, {path.name} cannot be read: {str(error)[:300]}") from error
    if not isinstance(state, Mapping) or not all(torch.is_tensor(value) for value in state.values()):
        raise ValueError(f"expected a state dict, tensors by name, in {path.name}, got a {type(state).__name__}")
    return dict(state)


def _check_archive(path: Path) -> None:
    """Refuse a compressed archive, which may become much larger; those of torch.save are not compressed."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > 2 * path.stat().st_size:
                raise ValueError(f"expected a file of torch.save, {path.name} is compressed")


def _read_keras(path: Path) -> dict[str, torch.Tensor]:
    """Tensors of a Keras file, dense layer by dense layer, under their names in `ClipExpressionModel`."""
    try:
        import h5py
    except ImportError as error:
        raise OSError('reading Keras files needs h5py: install it with `pip install "emo3d[convert]"`') from error
    if path.exists() and not h5py.is_hdf5(path):
        raise ValueError(f"expected an HDF5 file of Keras, {path.name} is none")
    if path.exists() and (size := path.stat().st_size) > _LARGEST_KERAS:
        raise ValueError(
            f"expected at most {_LARGEST_KERAS >> 20} MB of Keras weights, {path.name} has {size >> 20} MB"
        )
    state = {}
    try:
        with h5py.File(path) as file:
            # Keras writes the group for a model, its members for weights alone.
            layers = _inside(file, "model_weights") if "model_weights" in file else file
            if "layer_names" not in layers.attrs:
                raise ValueError("it has no list of layers (layer_names)")
            if "model_config" in file.attrs:
                _check_activations(parse_json(_text(file.attrs["model_config"])), path.name)
            dense = [_inside(layers, _text(name)) for name in _names(layers, "layer_names")]
            for index, group in enumerate(group for group in dense if _names(group, "weight_names")):
                for name in _names(group, "weight_names"):
                    weights = _weights(_inside(group, _text(name)), name, path.stat().st_size)
                    state[f"network.{2 * index}.{'weight' if weights.ndim == 2 else 'bias'}"] = weights
    except FileNotFoundError:
        raise
    except Exception as error:  # h5py raises nearly everything where a file is damaged
        raise ValueError(f"expected a Keras file of dense layers, {path.name} cannot be read: {error}") from error
    return state


_LARGEST_KERAS = 256 * 2**20
_MOST_LAYERS = 100


def _inside(group: Any, name: str) -> Any:
    """The member of a group under a path; links are refused, as they may lead to other files."""
    import h5py

    for part in name.strip("/").split("/"):
        if not isinstance(group, h5py.Group) or not isinstance(group.get(part, getlink=True), h5py.HardLink):
            raise ValueError(f"expected its weights in the file itself, {name} is missing or a link")
        group = group[part]
    return group


def _weights(dataset: Any, name: str, size: int) -> torch.Tensor:
    """The numbers of a dataset; those in other files, or far more than the file could hold, are refused."""
    import h5py

    if not isinstance(dataset, h5py.Dataset):
        raise ValueError(f"expected numbers as {name}, got a group")
    if dataset.is_virtual or dataset.external:
        raise ValueError(f"expected its weights in the file itself, those of {name} lie in other files")
    if dataset.dtype.kind not in "fiu" or dataset.ndim > 2 or dataset.dtype.itemsize > 8:
        raise ValueError(f"expected numbers as {name}, got {dataset.dtype} with {dataset.ndim} axes")
    if dataset.nbytes > _LARGEST_KERAS or (dataset.chunks is None and dataset.nbytes > size):
        raise ValueError(f"expected the weights {name} in the file, which is too small for {dataset.nbytes:,} bytes")
    # Keras multiplies from the left.
    return torch.from_numpy(np.array(dataset[()], np.float32).T.copy())


def _names(group: Any, attribute: str) -> list[Any]:
    names = group.attrs[attribute]
    if np.ndim(names) != 1 or len(names) > _MOST_LAYERS:
        raise ValueError(f"expected a list of at most {_MOST_LAYERS} names as {attribute}")
    return list(names)


def _text(name: Any) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)


def _check_activations(config: Mapping[str, Any], file: str) -> None:
    try:
        names = [layer["config"].get("activation") for layer in config["config"]["layers"]]
    except (AttributeError, KeyError, TypeError):
        raise ValueError(f"expected the layers of a Keras model as model_config of {file}") from None
    activations = [activation for activation in names if activation not in (None, "linear")]
    if activations != _ACTIVATIONS:
        got = ", ".join(map(str, activations)) or "none"
        raise ValueError(f"expected the activations {', '.join(_ACTIVATIONS)}, got {got} in {file}")


def _kind_of(state: Mapping[str, torch.Tensor], name: str) -> str:
    for kind, model_class in _MODELS.items():
        if state.keys() & model_class(model_class.config_class()).state_dict().keys():
            return kind
    got = ", ".join(map(str, state)) or "none"
    raise ValueError(f"expected the keys of {' or '.join(KINDS)}, got {got} in {name}")


def _check(state: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor], message: str) -> None:
    problems = [f"{key} is missing" for key in expected if key not in state]
    for key, tensor in state.items():
        if key not in expected:
            problems.append(f"{key} is not expected")
        elif tensor.shape != expected[key].shape:
            problems.append(f"{key} has shape {tuple(tensor.shape)} instead of {tuple(expected[key].shape)}")
        elif not tensor.isfinite().all():
            problems.append(f"{key} has numbers that are not finite")
    if problems:
        raise ValueError(f"{message}: {', '.join(problems)}")
