"""Results of two systems: opened, compared, and put on a board, as Markdown and as a page."""

import json
from pathlib import Path

import numpy as np


def seeds(folder: Path) -> list[dict[str, bytes]]:
    from emo3d.scoring import ScoreSettings, read_references
    from emo3d.scoring.references import row_digests
    from emo3d.scoring.result import summarise
    from emo3d_lab.sentinels import Reading, Sentinel
    from emo3d_lab.training import Evaluation

    rng = np.random.default_rng(0)
    rows = [
        {"description": f"face {row}", "intensities": rng.random(8), "blendshapes": rng.random(51)} for row in "abc"
    ]
    described = read_references(rows)
    files = {}
    for name in ("a", "b"):
        per_sample = {"kl_divergence": rng.random(3), "distribution": np.eye(8)[:3], "reference": described.ranks}
        per_sample |= {"match": rng.random(3) < 0.5, "mse": rng.random(3), "mae": rng.random(3)}
        per_sample["amplitude"] = np.where([True, True, False], rng.random(3), np.nan)
        settings = ScoreSettings(n_bootstrap=10)
        result = summarise(per_sample, described, settings, settings.signature, 0, row_digests(described))
        sentinels = (Sentinel("shuffled", 0.9, 0.2, (Reading("face-api", 1.5, None),)),)
        about = {"dataset": "sample", "split": "test", "date": "2026-11-23", "sentinels": sentinels}
        evaluation = Evaluation(result, f"model {name}", **about)
        evaluation.save(folder / name)
        files[f"{name}.json"] = (folder / name).read_bytes()
    older = json.loads(files["b.json"])
    del older["reference_expressions"], older["per_sample"], older["amplitude"]
    return [files, files | {"b.json": json.dumps(older).encode()}]


def enter(folder: Path) -> None:
    from emo3d_lab.comparison import compare
    from emo3d_lab.training import Evaluation, rank, write_leaderboard

    evaluations = [Evaluation.load(folder / name) for name in ("a.json", "b.json")]
    for evaluation in evaluations:
        str(evaluation.result), repr(evaluation.result), evaluation.result.to_latex(evaluation.model)
    boards = rank(evaluations, group=True)
    for name in ("board.md", "board.html"):
        write_leaderboard(boards, folder / name)
    if all(evaluation.result.per_sample for evaluation in evaluations):
        compare(*(evaluation.result for evaluation in evaluations), n_resamples=20)
