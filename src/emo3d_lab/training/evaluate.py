"""One generator on one split of a dataset: its expressions, their score, and the file of both."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from huggingface_hub import try_to_load_from_cache

from emo3d.blendshapes import Space
from emo3d.files import check_output
from emo3d.scoring import QUICKSTART, Emo3DResult, ScoreSettings, open_references
from emo3d.scoring.result import read_plain
from emo3d_lab.baselines import training_references
from emo3d_lab.plain import from_plain
from emo3d_lab.sentinels import Sentinel, compare_sentinels, save_beside, score_beside_sentinels
from emo3d_lab.training.predictions import open_generator, save_predictions

if TYPE_CHECKING:
    from emo3d_lab.readers import EmotionReader

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A score, and what was scored on what.

    Attributes:
        result: the score.
        model: id, folder or class of the generator; the file's name where a file does not say it.
        revision: the model's commit; None of a model from disk, or one that was given as an object.
        dataset: id, folder or file of the dataset, None where it is unknown. `result.references` has its content.
        config: of the dataset.
        split: of the dataset.
        date: day of the evaluation, as in 2026-11-23.
        sentinels: beside the score, see `emo3d_lab.sentinels`; none in a file of an earlier version.
    """

    result: Emo3DResult
    model: str
    revision: str | None = None
    dataset: str | None = None
    config: str | None = None
    split: str | None = None
    date: str | None = None
    sentinels: tuple[Sentinel, ...] = ()

    @property
    def settings(self) -> dict[str, str]:
        """The signature of the score, setting by setting."""
        return dict(part.partition(":")[::2] for part in self.result.signature.split("|"))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything as JSON: what `Emo3DResult.save` writes, and more; `Emo3DResult.load` reads it, too."""
        about = {name: getattr(self, name) for name in self._texts()}
        save_beside(path, self.result, self.sentinels, **about)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Evaluation:
        """Read what `save`, `Emo3DResult.save` or `emo3d score --out` wrote.

        Raises:
            FileNotFoundError: no such file.
            ValueError: it holds no result; the message names the file.
        """
        try:
            plain = read_plain(path)
            result = Emo3DResult.from_dict(plain)
            stored = plain.get("sentinels") or ()
            sentinels = from_plain(tuple[Sentinel, ...], stored, "the sentinels", "an evaluation")
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        about = {name: plain.get(name) for name in cls._texts()}
        for name, value in about.items():
            if value is not None and not (isinstance(value, str) and value.isprintable()):
                raise ValueError(f"{path}: expected a text as {name!r}, got {value!r:.100}")
        return cls(result, **about | {"model": about["model"] or Path(path).stem}, sentinels=sentinels)

    @classmethod
    def _texts(cls) -> list[str]:
        return [field.name for field in fields(cls) if field.name not in ("result", "sentinels")]


def evaluate_model(
    model: Any,
    dataset: str,
    *,
    config: str | None = None,
    split: str = "test",
    revision: str | None = None,
    space: Space | None = None,
    settings: ScoreSettings | None = None,
    device: str = "cpu",
    batch_size: int = 32,
    predictions: str | os.PathLike[str] | None = None,
    readers: Sequence[EmotionReader] = (),
) -> Evaluation:
    """Generate an expression for every description of a dataset, and score them.

    Args:
        model: what `load_generator` takes, or a generator.
        dataset: what `open_references` takes; its `blendshapes`, where it has them, are what MSE, MAE and
            amplitude compare with.
        config, split: of the dataset.
        revision: of the model.
        space: of the dataset's blendshapes, where it does not say it; then they are taken to be in the model's.
        settings: of the score; their `space` is the model's. Where the dataset's is another, there is no MSE, MAE and
            amplitude.
        device: where the model and the backbone run.
        batch_size: descriptions, and faces, encoded at a time.
        predictions: a .parquet file for the expressions, as `write_predictions` writes it.
        readers: emotion readers that see the same faces, for `Emo3DResult.readers`.

    Raises:
        ValueError: bad rows, no such split, or what `load_generator` and `score` refuse; a `space` that the dataset
            contradicts.
        OSError: model, dataset or backbone cannot be loaded.
    """
    if predictions is not None:
        check_output(predictions, (".parquet",))
    references = open_references(dataset, config, split)
    if space and references.space and space != references.space:
        raise ValueError(f"{dataset} says that its space is {references.space}, got {space}")
    references = replace(references, space=references.space or space)
    generator, name = open_generator(model, revision)
    own = generator.config.space
    if references.expressions is not None and references.space is None:
        logger.warning("%s does not say the space of its blendshapes: they are compared as %s", dataset, own)
    expressions = generator.to(device).generate(references.descriptions, batch_size=batch_size)
    if predictions is not None:
        save_predictions(predictions, references.descriptions, expressions, own, name)
    result, sentinels = score_beside_sentinels(
        expressions,
        references,
        training=training_references(dataset, config),
        settings=replace(settings or ScoreSettings(), space=own),
        readers=readers,
        device=device,
        batch_size=batch_size,
    )
    commit = _commit(name, revision) if name else None
    name = name or generator.name_or_path or type(generator).__name__
    today = date.today().isoformat()
    return Evaluation(result, name, commit, dataset, config, split, today, compare_sentinels(result, sentinels))


def _commit(id: str, revision: str | None) -> str | None:
    """The commit that was loaded, by its folder in the cache: transformers 5 does not say it."""
    if id == QUICKSTART or Path(id).is_dir():
        return None
    file = try_to_load_from_cache(id, "config.json", revision=revision)
    return Path(file).parent.name if isinstance(file, str) else None
