"""The whole path in one run: load, generate, render, score and report, with a check of the order of the rows."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from emo3d.dataset import sample_folder
from emo3d.dataset.release import as_pairs, read_release
from emo3d.emotions import EMOTIONS, distribution
from emo3d.face import render
from emo3d.face.calibration import DEFAULT_METHOD, Method, name_calibration
from emo3d.face.export import write_glb
from emo3d.generation import load_generator
from emo3d.pictures import encode_picture
from emo3d.scoring import QUICKSTART, ScoreSettings, read_references, score
from emo3d_lab.baselines import MEAN, REFERENCES, baseline_expressions
from emo3d_lab.quickstart.report import Card, Release, Report, Row
from emo3d_lab.readers import EmotionReader, load_reader, read_faces
from emo3d_lab.sentinels import (
    TEXT_ONLY,
    Reading,
    compare_sentinels,
    readings_of,
    score_beside_sentinels,
    verdict_line,
)

GENERATOR = "quickstart generator"

_SHEET = 24  # faces on the contact sheet


def run(out: Path, release: Path | None = None, seed: int = 0) -> Report:
    """Score the embedded sample's test split with the quickstart parts and write the report.

    Args:
        out: folder for `report.html` and `face.glb`.
        release: folder of a published release, whose pictures are shown beside renders of their readings.
        seed: of the shuffled row and of the bootstrap.

    Returns:
        The report, with one sentence in its `failures` for each place where the expected order does not hold.
    """
    from datasets import load_dataset

    sample = load_dataset(str(sample_folder()))
    train, test = sample["train"].with_format("numpy"), sample["test"]
    references = [dict(row) for row in test.remove_columns("image")]
    metric = _load_metric()

    targets, training = read_references(test), read_references(train)
    baselines = baseline_expressions(targets, training)
    generated = load_generator(QUICKSTART).generate(test["description"])
    readers, advice = _load_readers()
    settings = ScoreSettings(backbone=QUICKSTART, seed=seed)
    result, sentinels = score_beside_sentinels(
        generated, targets, training=training, readers=readers, settings=settings
    )
    results: dict[str, Mapping[str, Any]] = {}
    readings: dict[str, tuple[Reading, ...]] = {}
    for name in tqdm((REFERENCES, GENERATOR, MEAN), "Scoring", delay=1):
        if name == GENERATOR:
            results[name], readings[name] = result.to_dict(per_sample=True), readings_of(result.readers)
            continue
        results[name] = metric.compute(
            predictions=baselines[name], references=references, backbone=QUICKSTART, seed=seed, per_sample=True
        )
        readings[name] = readings_of(read_faces(readers, baselines[name], targets, settings))
    for name, sentinel in sentinels.items():
        results[name], readings[name] = sentinel.to_dict(), readings_of(sentinel.readers)
    rows = [_row(name, result, readings[name]) for name, result in results.items()]

    out.mkdir(parents=True, exist_ok=True)
    sheet = _spread(np.array(test["intensities"]), _SHEET)
    write_glb(out / "face.glb", generated[sheet[0]], description=references[sheet[0]]["description"])
    faces = render(generated[sheet])
    distributions = distribution([references[index]["intensities"] for index in sheet])
    cards = [
        Card(
            description=references[index]["description"],
            pictures={"reference": encode_picture(test[index]["image"]), "generated": encode_picture(face)},
            bars={
                "described": distributions[place],
                "read off the reference": results[REFERENCES]["per_sample"]["distribution"][index],
                "read off the generated": results[GENERATOR]["per_sample"]["distribution"][index],
            },
        )
        for place, (index, face) in enumerate(zip(sheet, faces, strict=True))
    ]
    report = Report(
        rows=rows,
        failures=check_order(rows),
        cards=cards,
        signature=results[REFERENCES]["signature"],
        verdict=verdict_line(result.kl_divergence, compare_sentinels(result, sentinels), readings_of(result.readers)),
        advice=advice,
        release=_read_release(release, seed) if release else None,
    )
    report.write(out / "report.html")
    return report


def _load_metric() -> Any:
    """The packaged metric by evaluate, which would look on the Hub for a newer version of a local module."""
    import evaluate

    offline, evaluate.config.HF_EVALUATE_OFFLINE = evaluate.config.HF_EVALUATE_OFFLINE, True
    try:
        return evaluate.load(str(files("emo3d") / "assets" / "emo3d_score.py"))
    finally:
        evaluate.config.HF_EVALUATE_OFFLINE = offline  # the caller's own, who may load from the Hub next


def check_order(rows: list[Row]) -> list[str]:
    """The self-check: by KL the references beat every row, and the generator every row but these and text-only.

    That sentinel sees the emotions of sentences like the one described, which no generator is told.
    """
    kl = {row.name: row.kl for row in rows}
    failures = []
    for better, others in ((REFERENCES, {REFERENCES}), (GENERATOR, {REFERENCES, GENERATOR, TEXT_ONLY})):
        for name in kl.keys() - others:
            if not kl[better] < kl[name]:
                failures.append(f"expected {better} below {name} by KL, got {kl[better]:.3f} and {kl[name]:.3f}")
    return sorted(failures)


def _load_readers() -> tuple[list[EmotionReader], str | None]:
    """The reader whose files `make readers` fetches where they are here; else how to get them."""
    try:
        return [load_reader("face-api")], None
    except FileNotFoundError:
        return [], "`make readers` fetches one"


def _row(name: str, result: Mapping[str, Any], readings: tuple[Reading, ...] = ()) -> Row:
    intervals = result["intervals"]
    return Row(
        name=name,
        n=result["n"],
        mse=result["mse"],
        amplitude=result["amplitude"],
        kl=result["kl_divergence"],
        kl_interval=intervals.get("kl_divergence"),
        emo3d=result["emo3d"],
        emo3d_interval=intervals.get("emo3d"),
        recall=result["recall_at_k"],
        readings=readings,
    )


def _spread(intensities: np.ndarray, count: int) -> list[int]:
    """Rows that show all emotions in turn: the k-th strongest of each, emotion by emotion."""
    strongest = intensities.argmax(axis=1)
    turns: list[tuple[int, int, int]] = []
    for emotion in range(len(EMOTIONS)):
        members = np.flatnonzero(strongest == emotion)
        # A fixed shuffle, so that the sheet shows the weak ones too.
        members = np.random.default_rng(emotion).permutation(members)
        turns += [(turn, emotion, int(index)) for turn, index in enumerate(members)]
    return [index for _, _, index in sorted(turns)[:count]]


def _read_release(folder: Path, seed: int) -> Release:
    """Published pictures, and the default face with MediaPipe's readings of them, raw and calibrated, both scored."""
    pairs = [pair for pair in as_pairs(read_release(folder)) if pair["image"] is not None]
    readings = np.stack([pair["blendshapes"] for pair in pairs])
    references = [{name: pair[name] for name in ("description", "intensities")} for pair in pairs]
    first = {pair["name"]: index for index, pair in reversed(list(enumerate(pairs)))}
    sheet = sorted(first.values())
    methods: dict[str, Method] = {"raw": "none", "calibrated": DEFAULT_METHOD}
    faces = {name: render(readings[sheet], space="reading", calibration=method) for name, method in methods.items()}
    results = {}
    for name, method in methods.items():
        settings = ScoreSettings(backbone=QUICKSTART, space="reading", calibration=method, seed=seed)
        results[name] = score(readings, references, settings=settings)
    emotions = distribution([pair["intensities"] for pair in pairs])
    cards = [
        Card(
            description=pairs[index]["description"],
            pictures={
                "published picture": encode_picture(pairs[index]["image"]),
                **{name: encode_picture(renders[place]) for name, renders in faces.items()},
            },
            bars={
                "described": emotions[index],
                **{f"read off {name}": result.per_sample["distribution"][index] for name, result in results.items()},
            },
        )
        for place, index in enumerate(sheet)
    ]
    rows = [_row(f"its readings, {name}", result.to_dict()) for name, result in results.items()]
    return Release(cards, rows, calibration=str(name_calibration("reading", methods["calibrated"])))
