"""Recipes: all settings of a training run, as YAML to read, copy and override."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import takewhile
from pathlib import Path
from typing import Any

import yaml
from transformers import PretrainedConfig, TrainingArguments

from emo3d.generation import ExpressionModel
from emo3d.scoring import ScoreSettings
from emo3d_lab.generators import MODELS as GENERATORS
from emo3d_lab.generators import ClipModel

RECIPES_FOLDER = Path(__file__).parent.parent / "assets" / "recipes"
RECIPES: tuple[str, ...] = tuple(sorted(path.stem for path in RECIPES_FOLDER.glob("*.yaml")))
"""Names of the packaged recipes."""

INPUTS = ("descriptions", "pictures", "both")
_DATA = {"train_split": "train", "validation_split": "validation", "mirror": False, "inputs": "descriptions"}
_TRAINING = {
    "eval_strategy": "epoch",
    "logging_strategy": "epoch",
    "save_strategy": "epoch",
    "save_total_limit": 1,  # the last checkpoint, beside the best one
    "load_best_model_at_end": True,
    "metric_for_best_model": "loss",
    "report_to": "none",
}
MODELS: dict[str, Any] = {"expression": ExpressionModel}
MODELS |= {name.removeprefix("emo3d-"): model for name, model in GENERATORS.items()}
MODELS |= {"clip-model": ClipModel}  # of clips; the type "clip" is OpenAI's
"""`type` of a recipe's model -> its class."""


def _fields(config: type[PretrainedConfig]) -> set[str]:
    bases = takewhile(lambda base: base is not PretrainedConfig, config.__mro__)
    names = {name for base in bases for name in inspect.signature(base).parameters}
    return names - {"self", "kwargs", "encoder_config", "embedding_size"}


_FIELDS: dict[str, set[str]] = {
    "model": {"type"},  # and the fields of its configuration
    "data": {*_DATA},
    "score": {field.name for field in fields(ScoreSettings)} - {"space"},
    "training": {field.name for field in fields(TrainingArguments)} | {"early_stopping_patience"} - {"output_dir"},
}


@dataclass(frozen=True)
class Recipe:
    """All settings of a training run.

    Attributes:
        model: `type`, a key of `MODELS` ("expression" when left out), and fields of its configuration. `space` need
            not be among them where the dataset says its own.
        data: `train_split` and `validation_split`, names of splits; `mirror`, whether every training row also comes
            with left and right swapped, in description, expression and picture; `inputs`, one of `INPUTS`, what models
            on a dual encoder learn from (see `emo3d_lab.training.data.prepare`).
        score: fields of `ScoreSettings` for the Emo3D score of the validation split; None computes none, and is the
            only one for clips.
        training: fields of `transformers.TrainingArguments`, and `early_stopping_patience`, the number of evaluations
            without a better one after which training stops.

    Raises:
        ValueError: an unknown field, or inputs that the model does not take; the message names them.
    """

    model: dict[str, Any]
    data: dict[str, Any]
    score: dict[str, Any] | None
    training: dict[str, Any]

    def __post_init__(self) -> None:
        kind = self.kind
        if not isinstance(kind, str) or kind not in MODELS:
            raise ValueError(f"expected a model type of {', '.join(MODELS)}, got {kind!r}")
        for section, names in (_FIELDS | {"model": {"type"} | _fields(MODELS[kind].config_class)}).items():
            for name in getattr(self, section) or {}:
                if name not in names:
                    raise ValueError(f"the recipe's {section} has {name!r}, expected one of {', '.join(sorted(names))}")
        inputs = self.data["inputs"]
        allowed = INPUTS[:1] if kind in ("expression", "clip-model") else INPUTS
        if inputs not in allowed:
            raise ValueError(f"expected data.inputs of {', '.join(allowed)} for a model of type {kind}, got {inputs!r}")
        if kind == "clip-model" and self.score is not None:
            raise ValueError("expected score: null, the score of stills is none of clips: benchmarks/clip_models.py")

    @property
    def kind(self) -> str:
        """The type of the model."""
        return self.model.get("type", "expression")

    def configuration(self, **fields: Any) -> Any:
        """Build the configuration of the model; `fields` override those of the recipe."""
        settings = {name: value for name, value in {**self.model, **fields}.items() if name != "type"}
        return MODELS[self.kind].config_class(**settings)

    def difference(self, other: Recipe) -> str | None:
        """The first field in which another recipe differs, with both values; None where there is none."""
        for section, values in asdict(self).items():
            other_values = asdict(other)[section]
            for name in {**(values or {}), **(other_values or {})}:
                value, other_value = ((fields or {}).get(name) for fields in (values, other_values))
                if value != other_value:
                    return f"{section}.{name} is {value!r} instead of {other_value!r}"
            if values != other_values:
                return f"{section} is {values!r} instead of {other_values!r}"
        return None

    def write(self, path: Path) -> None:
        """Write the recipe as YAML."""
        path.write_text(yaml.safe_dump(asdict(self), sort_keys=False))


def load_recipe(name: str | os.PathLike[str], settings: Sequence[str] = ()) -> Recipe:
    """Load a recipe.

    Args:
        name: one of `RECIPES`, or the path of a YAML file.
        settings: `section.field=value`, each of which overrides a field, the value as YAML; `score=null` computes no
            score.

    Raises:
        ValueError: no such recipe, no YAML, or an unknown section or field.

    Example:
        >>> load_recipe("minilm", ["training.learning_rate=1e-4"]).training["learning_rate"]
        0.0001
    """
    path = RECIPES_FOLDER / f"{name}.yaml" if name in RECIPES else Path(name)
    if not path.is_file():
        raise ValueError(f"expected a recipe of {', '.join(RECIPES)} or a YAML file, got {name}")
    try:
        recipe = _parse(path.read_text(encoding="utf-8"), path.name)
    except UnicodeDecodeError as error:
        raise ValueError(f"expected YAML in UTF-8, {path.name} has other bytes at {error.start}") from None
    if not isinstance(recipe, dict) or not recipe.keys() <= _FIELDS.keys():
        got = ", ".join(map(str, recipe)) if isinstance(recipe, dict) else type(recipe).__name__
        raise ValueError(f"expected a recipe with the sections {', '.join(_FIELDS)} in {path.name}, got {got}")
    for setting in settings:
        key, equals, value = setting.partition("=")
        section, dot, field = key.partition(".")
        if not equals or section not in _FIELDS or (not dot and section != "score"):
            raise ValueError(f"expected a setting like training.learning_rate=1e-4, got {setting!r}")
        override = _parse(value, setting)
        recipe[section] = {**(recipe.get(section) or {}), field: override} if dot else override
    for section, content in recipe.items():
        if not isinstance(content, Mapping) and not (content is None and section == "score"):
            raise ValueError(f"expected fields with values in the recipe's {section}, got {content!r:.200}")
        for field in content or ():
            if not isinstance(field, str):
                raise ValueError(f"expected names of fields in the recipe's {section}, got {field!r:.60}")
    training = {  # YAML reads `no` as false
        name: "no" if name.endswith("_strategy") and value is False else value
        for name, value in recipe.get("training", {}).items()
    }
    return Recipe(
        model=recipe.get("model", {}),
        data=_DATA | recipe.get("data", {}),
        score=recipe.get("score"),
        training=_TRAINING | training,
    )


class _Loader(yaml.SafeLoader):
    """YAML in which 1e-4 is a number, too."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), [*"-+0123456789"]
)


def _parse(text: str, where: str) -> Any:
    try:
        return yaml.load(text, _Loader)  # a SafeLoader
    except yaml.YAMLError as error:
        raise ValueError(f"expected YAML in {where}: {' '.join(str(error).split())[:500]}") from None
    except RecursionError:
        raise ValueError(f"expected YAML in {where}, got brackets nested too deep") from None
    except (ValueError, OverflowError, TypeError, AttributeError, LookupError) as error:  # a date like 2026-99-99, say
        raise ValueError(f"expected YAML in {where}, a value in it cannot be read: {error}") from None
