"""What is looked at in a model's files before it is built: the sizes that they ask for, and the weights they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from emo3d.documents import read_json

# In a configuration: the largest number (a vocabulary, say), the most layers, and the longest list.
WIDEST, DEEPEST, LONGEST = 2_000_000, 64, 1024


def check_numbers(config: Mapping[str, Any], name: str, widest: int = WIDEST, deepest: int = DEEPEST) -> None:
    """Refuse numbers in a configuration, at any depth, that would take long to be built even without memory."""
    for field, value in _values(config):
        counts = "layer" in field and "eps" not in field and "." not in field  # a name with dots is that of a layer
        most = deepest if counts else widest
        if isinstance(value, list) and len(value) > LONGEST:
            raise ValueError(f"Expected lists of at most {LONGEST} in configurations, {name} has a longer {field}.")
        if isinstance(value, int | float) and not abs(value) <= most:
            raise ValueError(f"Expected at most {most:,} as {field} here, {name} has {value!r:.30}.")


def plan_weights(build: Callable[[], torch.nn.Module], name: str) -> dict[str, tuple[int, ...]]:
    """Shapes of a model's weights by name, without memory for them; a model that cannot be built is a ValueError."""
    try:
        with torch.device("meta"), torch.inference_mode():
            return {key: tuple(tensor.shape) for key, tensor in build().state_dict().items()}
    except Exception as error:  # whatever a configuration that does not fit comes to
        raise ValueError(f"The configuration of {name} cannot be built: {str(error)[:200]}") from error


def check_weights(folder: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Compare the safetensors of a folder, by their headers, with the weights that its configuration asks for.

    Raises:
        ValueError: a file that cannot be read, an index that names files elsewhere, or a weight that is missing or has
            another shape.
    """
    checkpoint: dict[str, tuple[int, ...]] = {}
    for file in _safetensors(folder):
        try:
            with safe_open(file, "pt") as weights:
                checkpoint |= {key: tuple(weights.get_slice(key).get_shape()) for key in weights.keys()}  # noqa: SIM118
        except Exception as error:  # safetensors' own error, and what Rust gives where memory cannot be mapped
            raise ValueError(f"expected safetensors, {file.name} cannot be read: {str(error)[:200]}") from error
    if missing := sorted(shapes.keys() - checkpoint.keys()):
        raise ValueError(f"the checkpoint of {folder} lacks {', '.join(missing[:10])}")
    for key, shape in shapes.items():
        if (got := checkpoint[key]) != shape:
            raise ValueError(f"the checkpoint of {folder} has {key} of shape {got}, its configuration {shape}")


def _safetensors(folder: Path) -> list[Path]:
    if (whole := folder / "model.safetensors").is_file():
        return [whole]
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        raise ValueError(f"expected model.safetensors, or its parts and their index, in {folder}")
    document = read_json(index)
    parts = document.get("weight_map") if isinstance(document, dict) else None
    if not isinstance(parts, dict) or not all(isinstance(part, str) for part in parts.values()):
        raise ValueError(f"expected a weight_map from weights to files in {index.name} of {folder}")
    files = [folder / name for name in sorted(set(parts.values()))]
    for file in files:
        if file.parent != folder or not file.is_file():
            raise ValueError(f"expected files beside it in {index.name} of {folder}, it names {file.name!r:.100}")
    return files


def _values(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    yield name, value
    for key, below in value.items() if isinstance(value, dict) else ():
        yield from _values(below, str(key))
    for below in value[: LONGEST + 1] if isinstance(value, list) else ():
        yield from _values(below, name)
