"""Checkpoints of the published baselines -> transformers models: safetensors, a configuration and a card."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from emo3d.backbones import DEFAULT_BACKBONE
from emo3d.dataset.card import citation
from emo3d.encoders import no_bars
from emo3d.generation.clip import BackboneModel, ClipExpressionConfig, ClipExpressionModel
from emo3d.generation.vae import VaeClipConfig, VaeClipModel

_MODELS: dict[str, Any] = {
    "clip": (ClipExpressionConfig, ClipExpressionModel),
    "vae-clip": (VaeClipConfig, VaeClipModel),
}
KINDS = tuple(_MODELS)


def convert(
    checkpoint: str | Path, out: str | Path, kind: str | None = None, *, backbone: str = DEFAULT_BACKBONE
) -> BackboneModel:
    """Write a checkpoint of the release as a model for `from_pretrained`.

    Args:
        checkpoint: a state dict written by `torch.save`; it is read as tensors, and code in it is refused.
        out: a new or empty folder, for `model.safetensors`, `config.json` and `README.md`.
        kind: one of `KINDS`; by default the one whose keys the checkpoint has.
        backbone: the dual encoder on whose embeddings the checkpoint was trained.

    Returns:
        The model, in evaluation mode. It answers as the checkpoint does, in the space of readings.

    Raises:
        ValueError: an unknown kind, a checkpoint that holds something else than tensors, or one with a key that is
            missing, extra, misshapen or not finite; the message names each. A folder that is not empty.
        OSError: the checkpoint cannot be read.
    """
    source, folder = Path(checkpoint), Path(out)
    if kind is not None and kind not in KINDS:
        raise ValueError(f"expected a kind of {', '.join(KINDS)}, got {kind!r}")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"expected a new or empty folder, got {folder}")
    state = _read_torch(source)
    config_class, model_class = _MODELS[kind or _kind_of(state, source.name)]
    model = model_class(config_class(backbone=backbone)).eval()
    _check(state, model.state_dict(), f"{source.name} is no {model_class.__name__} as published")
    model.load_state_dict(state)
    with no_bars():
        model.save_pretrained(folder)
    (folder / "README.md").write_text(_card(model, source, folder.name), encoding="utf-8")
    return model


def _read_torch(path: Path) -> dict[str, torch.Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise ValueError(
            f"expected a state dict, tensors by name; {path.name} is none, or holds code, and was not run"
        ) from error
    except (RuntimeError, EOFError) as error:  # a broken archive, an empty file
        raise ValueError(f"expected a file of torch.save, {path.name} cannot be read: {error}") from error
    if not isinstance(state, Mapping) or not all(torch.is_tensor(value) for value in state.values()):
        raise ValueError(f"expected a state dict, tensors by name, in {path.name}, got a {type(state).__name__}")
    return dict(state)


def _kind_of(state: Mapping[str, torch.Tensor], name: str) -> str:
    for kind, (config_class, model_class) in _MODELS.items():
        if state.keys() & model_class(config_class()).state_dict().keys():
            return kind
    raise ValueError(f"expected the keys of {' or '.join(KINDS)}, got {', '.join(state) or 'none'} in {name}")


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


def _card(model: BackboneModel, source: Path, name: str) -> str:
    import jinja2

    cards = jinja2.Environment(loader=jinja2.PackageLoader("emo3d", "assets"), undefined=jinja2.StrictUndefined)
    return cards.get_template("converted_card.md.jinja").render(
        model=model,
        config=model.config,
        shapes={key: " x ".join(map(str, tensor.shape)) for key, tensor in model.state_dict().items()},
        source=source.name,
        digest=hashlib.sha256(source.read_bytes()).hexdigest(),
        name=name,
        citation=citation(),
    )
