"""Generators of clips by name: the director around a generator of stills, or a learnt one from a folder or the Hub."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from emo3d.documents import read_json
from emo3d_lab.clips.director import Director

if TYPE_CHECKING:
    from emo3d_lab.generators import ClipModel

KIND = "emo3d-clip-model"
"""`model_type` in the `config.json` of a `ClipModel`."""


def load_clip_generator(generator: Any = "quickstart", revision: str | None = None) -> Any:
    """What makes clips of descriptions, by `.generate(texts, *, seconds=None, rate=30, seed=0)`.

    Args:
        generator: a folder or an id on the Hub, of a `ClipModel` or of a generator of stills, around which a `Director`
            is set; a name that `load_generator` knows; or a generator itself, of clips or of stills.
        revision: branch, tag or commit on the Hub.

    Raises:
        OSError: the Hub cannot be reached or has no such model. Of stills, `generate` says it, which loads the model.
        ValueError: a model of another kind, one that is damaged, or a revision of what is on disk.
    """
    if not isinstance(generator, str | os.PathLike):
        config = getattr(generator, "config", None)
        is_whole = isinstance(generator, Director) or getattr(config, "model_type", None) == KIND
        return generator if is_whole else Director(generator)
    name = os.fspath(generator)
    if _kind(name, revision) == KIND:
        return load_clip_model(name, revision)
    if revision is None:
        return Director(name)
    from emo3d.generation import load_generator

    return Director(load_generator(name, revision))


def is_clip_model(name: str | os.PathLike[str], revision: str | None = None) -> bool:
    """Whether a name is that of a `ClipModel`, which is not loaded for that."""
    return _kind(os.fspath(name), revision) == KIND


def load_clip_model(name: str | os.PathLike[str], revision: str | None = None) -> ClipModel:
    """Load a `ClipModel` from a folder or the Hub, ready for `generate`; the errors are `load_clip_generator`'s."""
    from emo3d.encoders import no_bars
    from emo3d.loading import FROM_PRETRAINED, damage_explained
    from emo3d_lab.generators import ClipModel

    name = os.fspath(name)
    if Path(name).is_dir():
        if revision is not None:
            raise ValueError(f"{name} is read from disk and has no revisions, got {revision!r}")
        _check_folder(Path(name))
    with damage_explained("clip model", name), FROM_PRETRAINED, no_bars():
        model, loading = ClipModel.from_pretrained(name, revision=revision, output_loading_info=True)
    if loading["missing_keys"]:  # they would be random, and transformers only warns
        raise ValueError(f"the checkpoint of {name} lacks {', '.join(sorted(loading['missing_keys']))}")
    if not all(tensor.isfinite().all() for tensor in model.state_dict().values()):
        raise ValueError(f"expected finite weights in the checkpoint of {name}, it has others: copy it anew")
    return model.float().eval()


def _check_folder(folder: Path) -> None:
    """Refuse a folder whose weights are not those that its configuration asks for, before anything large is built."""
    from emo3d.generation.checks import check_numbers, check_weights, plan_weights
    from emo3d.loading import damage_explained
    from emo3d_lab.generators import ClipModel, ClipModelConfig

    file = folder / "config.json"
    fields = read_json(file) if file.is_file() else None
    if not isinstance(fields, dict) or fields.get("model_type") != KIND:
        raise ValueError(f"expected the folder of a clip model, with a config.json of type {KIND}, got {folder}")
    check_numbers(fields, str(folder))
    with damage_explained("configuration", str(file)):
        config = ClipModelConfig.from_pretrained(folder)
    check_weights(folder, plan_weights(lambda: ClipModel(config), str(folder)))


def _kind(name: str, revision: str | None) -> Any:
    """`model_type` of a folder or a model on the Hub; None where it cannot be read, which its loader explains."""
    if Path(name).is_dir():
        file = Path(name, "config.json")
        fields = read_json(file) if file.is_file() else None
        return fields.get("model_type") if isinstance(fields, dict) else None
    if "/" not in name:  # a packaged one, which needs no transformers
        return None
    from transformers import PretrainedConfig

    try:
        return PretrainedConfig.get_config_dict(name, revision=revision)[0].get("model_type")
    except (OSError, ValueError):
        return None
