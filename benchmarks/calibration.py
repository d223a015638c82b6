"""What calibration changes, measured with the real instrument on one machine in one run.

    python benchmarks/calibration.py [--calibration anny] [--faces 400] [--release ../shared/real_emo3d]
                                     [--reader ../shared/readers/face-api]
                                     [--backbone quickstart --backbone openai/clip-vit-base-patch32]

- held out: faces of identities that took no part in fitting, turned and lit as they come. `weights` is how far the
  weights told back are from those told; `same face` and `scoring face` are the round trip reading -> weights -> picture
  -> reading, on the face that was read, under its pose and light, and on the one that predictions are scored on.
- real rows: the pictures of the published rows beside the checkout, rendered from their published readings on the
  scoring face and read again. The photograph's own row says how far the instrument's readings of the same pictures,
  here and now, are from those beside them.
- seen: the emotion that an emotion reader, which nobody here trained, sees in the photographs and in renders of their
  weights; `picture` weighs readings and landmarks. Of surprise, fear counts too: so it sees three of these photographs.
- emotions: mean KL from a row's emotion distribution to the one read off its render, by the descriptions of the
  embedded sample's train split that are nearest. The quickstart backbone has never seen a photograph.
- speed: readings to weights, best of the rounds.

Errors are mean squared errors over the 51 scores. In brackets: the share of the error of raw readings.
"""

from __future__ import annotations

import argparse
import io
import time
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table

from emo3d.dataset import sample_folder
from emo3d.dataset.release import read_release
from emo3d.dataset.tables import ReleaseRow
from emo3d.emotions import EMOTIONS, distribution
from emo3d.face import FaceRig, RenderSettings, render
from emo3d.face.calibration import Calibration, Method, load_calibration
from emo3d.scoring import QUICKSTART, Bank, ScoreSettings, load_backbone, score, score_distributions
from emo3d_lab.calibrate.bias import mean_squared_error, run_trial
from emo3d_lab.calibrate.measure import look_at_faces, read_faces
from emo3d_lab.calibrate.sample import FITTED, HELD_OUT, KINDS, RENDERED, sample_sittings
from emo3d_lab.landmarker import FaceReader
from emo3d_lab.landmarks import picture_weights, weigh
from emo3d_lab.readers import load_reader

CONSOLE = Console(width=110)
RAW_FIRST: tuple[Method, ...] = ("none", "network", "refine")
TITLES = ("raw", "network", "refine")
BATCHES = {"network": 4096, "refine": 1024}
OTHER_SEED = 1000  # than a fit's, so that nobody among the people drawn was fitted on


def table(title: str, *columns: str) -> Table:
    made = Table(title=title, title_justify="left")
    for column in columns:
        made.add_column(column, justify="right" if column else "left")
    return made


def shares(errors: dict[Method, float]) -> list[str]:
    raw = errors["none"]
    return [f"{error:.4f}" + ("" if method == "none" else f" ({error / raw:.2f})") for method, error in errors.items()]


def held_out(calibration: Calibration, faces: int, reader: FaceReader) -> None:
    sittings = [
        sitting
        for sitting in sample_sittings(faces * (RENDERED + FITTED + HELD_OUT) // HELD_OUT, seed=OTHER_SEED)
        if sitting.held_out
    ]
    people = [FaceRig.from_anny(sitting.identity, cache=False) for sitting in sittings]
    shots = [(rig, shot) for rig, sitting in zip(people, sittings, strict=True) for shot in sitting.shots]
    weights = np.concatenate([shot.weights for _, shot in shots])
    rigs = [rig for rig, shot in shots for _ in shot.weights]
    settings = [
        RenderSettings(yaw=shot.yaw, light_yaw=shot.light_yaw, field_of_view=shot.field_of_view)
        for _, shot in shots
        for _ in shot.weights
    ]
    same = run_trial(calibration, weights, rigs, reader, RAW_FIRST, settings)
    scoring = FaceRig.from_anny()
    reread = {method: read_faces(told, [scoring] * len(told), reader) for method, told in same.estimates.items()}
    title = (
        f"held out: {len(same.weights)} faces of {len(sittings)} identities, {int((~same.has_face).sum())} not found"
    )
    made = table(title, "", *TITLES)
    kinds = np.concatenate([shot.kinds for _, shot in shots])[same.has_face]
    for title, kept in {
        "weights": np.ones(len(kinds), bool),
        "weights, units, prototypes and blends": kinds != KINDS.index("mixture"),
        "weights, free mixtures": kinds == KINDS.index("mixture"),
    }.items():
        errors = {method: mean_squared_error(same.estimates[method][kept], same.weights[kept]) for method in RAW_FIRST}
        made.add_row(title, *shares(errors))
    pairs = look_at_faces(weights, rigs, reader, settings)
    pictured = weigh(calibration, *(part[same.has_face] for part in pairs))
    error = mean_squared_error(pictured, same.weights)
    made.add_row("weights, from pictures", "", f"{error:.4f} ({error / same.weights_error('none'):.2f})", "")
    made.add_row("round trip, same face", *shares({method: same.reading_error(method) for method in RAW_FIRST}))
    errors = {method: mean_squared_error(found, same.readings) for method, found in reread.items()}
    made.add_row("round trip, scoring face", *shares(errors))
    CONSOLE.print(made)


def real_rows(calibration: Calibration, rows: list[ReleaseRow], reader: FaceReader) -> None:
    pairs = [(row, picture) for row in rows for picture in row.pictures]
    readings = np.stack([picture.expression for _, picture in pairs])
    rigs = [FaceRig.from_anny()] * len(pairs)
    found = {method: read_faces(calibration.to_weights(readings, method), rigs, reader) for method in RAW_FIRST}
    photographs = np.stack([reader.read(np.asarray(opened(picture.image))) for _, picture in pairs])
    made = table(f"real rows: round trip of {len(pairs)} published readings, scoring face", "", *TITLES, "photograph")
    errors = {method: mean_squared_error(again, readings) for method, again in found.items()}
    made.add_row("all", *shares(errors), f"{mean_squared_error(photographs, readings):.4f}")
    for index, (row, picture) in enumerate(pairs):
        one = slice(index, index + 1)
        errors = {method: mean_squared_error(again[one], readings[one]) for method, again in found.items()}
        photograph = mean_squared_error(photographs[one], readings[one])
        made.add_row(f"{row.sample_id}, picture {picture.variant}", *shares(errors), f"{photograph:.4f}")
    CONSOLE.print(made)


def seen(calibration: Calibration, rows: list[ReleaseRow], reader: FaceReader, folder: Path) -> None:
    emotion_reader = load_reader(folder)
    pairs = [(row, picture) for row in rows for picture in row.pictures]
    photographs = [np.asarray(opened(picture.image)) for _, picture in pairs]
    faces = [face for photograph in photographs if (face := reader.largest(photograph))]
    readings = np.stack([picture.expression for _, picture in pairs])
    pictures = {
        "photograph": photographs,
        **{method: list(render(calibration.to_weights(readings, method), space="weights")) for method in RAW_FIRST},
        "picture": list(render(picture_weights(faces, calibration), space="weights")),
    }
    shares = {name: np.nan_to_num(emotion_reader.read(shots)) for name, shots in pictures.items()}
    answers = {name: [emotion_reader.emotions[k] for k in rows.argmax(axis=1)] for name, rows in shares.items()}
    meant = [EMOTIONS[int(np.argmax(row.intensities))] for row, _ in pairs]
    made = table("real rows: photographs and renders in which the row's emotion is seen", "", *pictures)
    for emotion in dict.fromkeys(meant):
        allowed = {emotion, "fear"} if emotion == "surprise" else {emotion}
        places = [place for place, other in enumerate(meant) if other == emotion]
        cells = [f"{sum(found[place] in allowed for place in places)} of {len(places)}" for found in answers.values()]
        made.add_row(emotion, *cells)
    CONSOLE.print(made)


def emotions(calibration: Calibration, rows: list[ReleaseRow], names: list[str]) -> None:
    pairs = [(row, picture) for row in rows for picture in row.pictures]
    readings = np.stack([picture.expression for _, picture in pairs])
    described = [{"description": row.descriptions[0], "intensities": row.intensities.tolist()} for row, _ in pairs]
    train = [row for path in sorted(sample_folder().glob("*train*.parquet")) for row in pq.read_table(path).to_pylist()]
    prior = distribution([row["intensities"] for row in train]).mean(axis=0)
    title = f"emotions: mean KL of {len(pairs)} real rows, bank of {len(train)} descriptions"
    made = table(title, "", *TITLES, "photograph", "constant prior")
    for name in names:
        try:
            backbone = load_backbone(name)
        except OSError as error:
            made.add_row(name, *["–"] * 5)
            CONSOLE.print(f"{name}: left out, {error}", soft_wrap=True)
            continue
        bank = Bank.encode([row["description"] for row in train], [row["intensities"] for row in train], backbone)
        settings = RenderSettings(size=backbone.image_size)
        side = (backbone.image_size,) * 2
        pictures = [render(calibration.to_weights(readings, method), settings=settings) for method in RAW_FIRST]
        pictures.append(np.stack([np.asarray(opened(picture.image).resize(side)) for _, picture in pairs]))
        scores = [score(faces, described, bank=bank, backbone=backbone) for faces in pictures]
        scores.append(score_distributions(prior, described, ScoreSettings()))
        cells = []
        for result in scores:
            ends = result.intervals.get("kl_divergence")  # none of four rows' pictures: they are fewer than ten
            cells.append(f"{result.kl_divergence:.2f}" + (f" ({ends[0]:.2f}-{ends[1]:.2f})" if ends else ""))
        made.add_row(name, *cells)
    CONSOLE.print(made)
    CONSOLE.print("  in brackets, of ten rows and more: 95% bootstrap interval over them; lower is better", style="dim")


def speed(calibration: Calibration, rounds: int) -> None:
    made = table(f"speed, CPU, {torch.get_num_threads()} threads", "", "batch", "faces/s")
    for method, batch in BATCHES.items():
        readings = np.random.default_rng(0).random((batch, 51), np.float32)
        calibration.to_weights(readings[:8], method)
        seconds = []
        for _ in range(rounds):
            start = time.perf_counter()
            calibration.to_weights(readings, method)
            seconds.append(time.perf_counter() - start)
        made.add_row(method, f"{batch:,}", f"{batch / min(seconds):,.0f}")
    CONSOLE.print(made)


def opened(image: bytes) -> Image.Image:
    return Image.open(io.BytesIO(image)).convert("RGB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calibration", default="anny", help="name or path")
    parser.add_argument("--faces", type=int, default=400, help="held-out faces")
    parser.add_argument("--release", type=Path, default=Path(__file__).parents[2] / "shared" / "real_emo3d")
    parser.add_argument("--reader", type=Path, default=Path(__file__).parents[2] / "shared" / "readers" / "face-api")
    parser.add_argument("--backbone", action="append", help=f"of the emotions; {QUICKSTART} where none is given")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    calibration = load_calibration(arguments.calibration)
    CONSOLE.print(f"calibration {calibration.name}; not told back: {', '.join(calibration.unrecoverable) or 'nothing'}")
    with FaceReader(quiet=True) as reader:
        held_out(calibration, arguments.faces, reader)
        if arguments.release.is_dir():
            rows = list(read_release(arguments.release))
            real_rows(calibration, rows, reader)
            if arguments.reader.is_dir():
                seen(calibration, rows, reader, arguments.reader)
            else:
                CONSOLE.print(f"seen: left out, no folder {arguments.reader} (see --reader)")
            emotions(calibration, rows, arguments.backbone or [QUICKSTART])
        else:
            CONSOLE.print(f"real rows, emotions: left out, no folder {arguments.release} (see --release)")
    speed(calibration, arguments.rounds)


if __name__ == "__main__":
    main()
