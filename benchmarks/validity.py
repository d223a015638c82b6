"""Does the number mean what it says? On the sample, or any dataset whose expressions and emotions are known.

    python benchmarks/validity.py [--references sample] [--split test] [--config NAME] [--faces 250]
                                  [--backbone quickstart --backbone openai/clip-vit-base-patch32] [--picture FILE.png]
                                  [--reader face-api]

- order: the references' expressions are degraded step by step, so that the emotions of what is left are known. JS is
  the Jensen-Shannon divergence (nats) between those and the ones described. Spearman's correlation with JS says how
  well KL and MSE order faces, and systems (means over all faces; each step of each degradation is one). Faces are held
  against the expressions they were made from, and against those of other references that are most alike in emotion: a
  generator never knows the very face that a reference holds. A perfect reader retrieves just the emotions shown: what
  it lacks of 1 is the formula's, the rest the backbone's and the bank's.
- people: how much of the rise of the mean KL, from faces as described to faces at rest, is there at each quarter of the
  way; what KL says of mirrored contempt; and how KL goes with that of an emotion reader that nobody here trained, where
  a folder of it is given.
- retest: the same expressions on other identities, turned, and lit otherwise.
- sensitivity: to k, epsilon and the bank, and to how readings become weights.

In brackets: 95% bootstrap intervals over the references (all degradations of one together), or least and most.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import torch
from datasets import load_dataset
from people import START, STEPS, Stranger, System, show_people
from report_tables import CONSOLE, between, table
from scipy.spatial.distance import cdist, jensenshannon
from scipy.stats import spearmanr
from tqdm.auto import tqdm

from emo3d.blendshapes import BLENDSHAPES, mirror
from emo3d.dataset import sample_folder
from emo3d.dataset.release import is_release
from emo3d.emotions import EMOTIONS, distribution, kl_divergence
from emo3d.face import IDENTITIES, FaceRig, RenderSettings, render_batches
from emo3d.face.calibration import METHODS, rig_weights
from emo3d.scoring import (
    Backbone,
    Bank,
    References,
    ScoreSettings,
    divergence,
    emo3d_score,
    load_backbone,
    open_references,
    score,
)
from emo3d_lab.sample import make_rows

NOISE = 0.2  # standard deviation at the last step
CHANGING = ("toward neutral", "toward another emotion", "shuffled share")
KINDS = (*CHANGING, "noise", "mirrored")
POOLED = {"all three": CHANGING, "these, noise and mirrored": KINDS}
GROUPS = {kind: (kind,) for kind in CHANGING} | POOLED
SAME, LIKE = "the expressions they were made from", "other references of like emotion"
CONDITIONS: dict[str, list[dict]] = {
    "identity": [{"identity": name} for name in IDENTITIES],
    "yaw within 15 degrees": [{"yaw": yaw} for yaw in (0, -15, -10, -5, 5, 10, 15)],
    "light within 60 degrees": [{"light_yaw": yaw} for yaw in (0, -60, -30, 30, 60)],
}
COLORS = ("#0072B2", "#D55E00", "#009E73", "#999999", "#CC79A7")
JAW, CLOSE = BLENDSHAPES.index("jawOpen"), BLENDSHAPES.index("mouthClose")

Systems = dict[System, tuple[np.ndarray, np.ndarray]]
Pictures = dict[System, torch.Tensor]  # embedded


def degrade(weights: np.ndarray, intensities: np.ndarray) -> Systems:
    """Weights (N, 51) of each system, and the emotion distributions (N, 8) that its faces show.

    Steps go from 0 to 1: the way to the face at rest, to the face of a reference with another strongest emotion (its
    intensities come in like its weights), or to the mirror image; the share of faces that are exchanged; the noise.
    """
    rng = np.random.default_rng(0)
    n = len(weights)
    at_rest = np.eye(len(EMOTIONS))[EMOTIONS.index("neutral")]
    strongest = intensities.argmax(axis=1)
    other = np.array([rng.choice(np.flatnonzero(strongest != mine)) for mine in strongest])
    exchanged = rng.permutation(n)
    noise = NOISE * rng.standard_normal(weights.shape)
    described = distribution(intensities)
    systems = {START: (weights, described)}
    for t in STEPS:
        rows, part = np.arange(n), exchanged[: round(t * n)]
        rows[part] = np.roll(part, 1)
        noisy = np.clip(weights + t * noise, 0, 1)
        noisy[:, CLOSE] = np.minimum(noisy[:, CLOSE], noisy[:, JAW])  # beyond the jaw it tears the mouth
        systems["toward neutral", t] = (1 - t) * weights, distribution((1 - t) * intensities + t * at_rest)
        blended = distribution((1 - t) * intensities + t * intensities[other])
        systems["toward another emotion", t] = (1 - t) * weights + t * weights[other], blended
        systems["shuffled share", t] = weights[rows], described[rows]
        systems["noise", t] = noisy, described
        systems["mirrored", t] = (1 - t) * weights + t * mirror(weights), described
    return systems


def embed(
    weights: np.ndarray, backbone: Backbone, identity: str = "adult", yaw: float = 0, light_yaw: float = 0
) -> torch.Tensor:
    settings = RenderSettings(size=backbone.image_size, yaw=yaw, light_yaw=light_yaw)
    batches = render_batches(weights, rig=FaceRig.from_anny(identity), settings=settings)
    return torch.cat([backbone.encode_pictures(faces) for faces in batches])


def kl_of(
    pictures: torch.Tensor, intensities: np.ndarray, bank: Bank, k: int = 10, epsilon: float = 0.01
) -> np.ndarray:
    """Divergences (N,) as `score` has them; each picture is embedded once for all the tables."""
    return divergence(distribution(intensities), bank.intensities[bank.nearest(pictures, k)], epsilon=epsilon)


def spearman(truth: np.ndarray, values: np.ndarray) -> float:
    return float(spearmanr(truth.ravel(), values.ravel()).statistic)


class Order:
    """JS, KL, MSE, the KL of a perfect reader and of a stranger, of every face of every system, (S, N) each.

    Faces are held against `targets` (N,), rows of the references. The stranger's is NaN where it cannot judge, and None
    without one.
    """

    def __init__(
        self,
        systems: Systems,
        pictures: Pictures,
        references: References,
        bank: Bank,
        targets: np.ndarray,
        stranger: Stranger | None = None,
        **parameters: float,
    ) -> None:
        intensities, weights = references.intensities[targets], systems[START][0][targets]
        described = distribution(intensities)
        self.systems = list(systems)
        # Of equal distributions rounding may leave the root of less than 0.
        distances = [np.nan_to_num(jensenshannon(described, shown, axis=1)) for _, shown in systems.values()]
        self.js = np.stack(distances) ** 2
        self.kl = np.stack([kl_of(pictures[system], intensities, bank, **parameters) for system in systems])
        self.perfect = np.stack([kl_divergence(described, shown) for _, shown in systems.values()])
        self.stranger = None if stranger is None else stranger.kls(intensities)
        self.mse = np.stack([((degraded - weights) ** 2).mean(axis=1) for degraded, _ in systems.values()])

    def rows(self, kinds: Iterable[str]) -> list[int]:
        return [row for row, (kind, _) in enumerate(self.systems) if kind in (START[0], *kinds)]

    def correlations(self, kinds: Iterable[str], of_systems: bool = False, draws: int = 200) -> np.ndarray:
        """Spearman's of JS with KL, MSE, the one less the other, a perfect reader's KL, a stranger's if there is one.

        (4 or 5, 3), each with its interval; over single faces, or over the means of systems.
        """
        rows = self.rows(kinds)
        measures = [self.kl, self.mse, self.perfect, *([] if self.stranger is None else [self.stranger])]

        def estimate(columns: np.ndarray) -> tuple[float, ...]:
            found = []
            for measure in measures:
                known = columns[~np.isnan(measure[:, columns]).any(axis=0)]
                js, values = self.js[np.ix_(rows, known)], measure[np.ix_(rows, known)]
                found.append(spearman(js.mean(axis=1), values.mean(axis=1)) if of_systems else spearman(js, values))
            kl, mse, *others = found
            return kl, mse, kl - mse, *others

        rng, n = np.random.default_rng(0), self.js.shape[1]
        drawn = [estimate(rng.integers(n, size=n)) for _ in range(draws)]
        return np.stack([estimate(np.arange(n)), *np.quantile(drawn, [0.025, 0.975], axis=0)], axis=1)


def show_order(orders: dict[str, Order]) -> dict[tuple[str, str], np.ndarray]:
    """Print how well faces and systems are ordered; returns the former's correlations by target and group."""
    of_faces = {}
    for target, order in orders.items():
        columns = ["KL", "MSE", "KL less MSE", "KL, perfect reader"]
        columns += [] if order.stranger is None else ["KL, the reader"]
        made = table(f"order, held against {target}: Spearman with JS", "", *columns)
        for group, kinds in GROUPS.items():
            of_faces[target, group] = order.correlations(kinds)
            made.add_row(f"faces, {group}", *(between(*each) for each in of_faces[target, group]))
        for group, kinds in POOLED.items():
            found = order.correlations(kinds, of_systems=True)
            made.add_row(f"systems, {group}", *(between(*each) for each in found))
        CONSOLE.print(made)
    order = orders[SAME]
    by_reader = [] if order.stranger is None else [order.stranger]
    made = table("means over the faces, own expressions", "", "JS", "KL", "MSE", *("KL, the reader" for _ in by_reader))
    for (kind, step), js, kl, mse, *theirs in zip(
        order.systems, order.js, order.kl, order.mse, *by_reader, strict=True
    ):
        if step in (0, 0.5, 1):
            cells = (f"{js.mean():.3f}", f"{kl.mean():.3f}", f"{mse.mean():.4f}")
            made.add_row(f"{kind}, {step:g}", *cells, *(f"{np.nanmean(kls):.3f}" for kls in theirs))
    CONSOLE.print(made)
    return of_faces


def show_retest(systems: Systems, references: References, bank: Bank, backbone: Backbone) -> None:
    exchanged = np.roll(np.arange(len(references)), len(references) // 2)
    straight, half = (systems[system][0] for system in (START, ("toward another emotion", 0.5)))
    kept: list[bool] = []
    made = table("retest", "", "conditions", "mean KL, least to most", "sd", "Emo3D, least to most", "faces alike")
    for name, conditions in CONDITIONS.items():
        found: dict[str, list[np.ndarray]] = {START[0]: [], "half toward another emotion": [], "exchanged": []}
        for condition in tqdm(conditions, name, leave=False):
            pictures = [embed(weights, backbone, **condition) for weights in (straight, half)]
            for kls, faces in zip(found.values(), (*pictures, pictures[0][exchanged]), strict=True):
                kls.append(kl_of(faces, references.intensities, bank))
        means = np.mean(list(found.values()), axis=2)
        kept += (np.diff(means, axis=0) > 0).all(axis=0).tolist()
        for (system, kls), of_system in zip(found.items(), means, strict=True):
            ends = of_system.min(), of_system.max()
            alike = np.mean([spearman(kls[0], kl) for kl in kls[1:]])
            ranges = ["{:.3f} to {:.3f}".format(*pair) for pair in (ends, [emo3d_score(end, 1.0) for end in ends])]
            spread = f"{of_system.std(ddof=1):.3f}"
            made.add_row(f"{name}: {system}", str(len(kls)), ranges[0], spread, ranges[1], f"{alike:.2f}")
    CONSOLE.print(made)
    CONSOLE.print("faces alike: Spearman's correlation of the faces' KL with that under the first condition, mean")
    CONSOLE.print(f"the three systems come in this order in {sum(kept)} of {len(kept)} conditions\n")


def subset(bank: Bank, rows: np.ndarray) -> Bank:
    texts = tuple(bank.descriptions[row] for row in rows)
    embeddings = dict(zip(dict.fromkeys(bank.descriptions), bank.embeddings, strict=True))
    chosen = torch.stack([embeddings[text] for text in dict.fromkeys(texts)])
    return Bank(texts, bank.intensities[rows], chosen, backbone=bank.backbone)


def show_sensitivity(systems: Systems, pictures: Pictures, references: References, bank: Bank, elsewhere: Bank) -> None:
    rng = np.random.default_rng(0)
    cases: dict[str, list[tuple[Bank, dict]]] = {"nothing changed": [(bank, {})]}
    cases |= {f"k {k}": [(bank, {"k": k})] for k in (1, 3, 5, 20, 50) if k < len(bank)}
    cases |= {f"epsilon {epsilon:g}": [(bank, {"epsilon": epsilon})] for epsilon in (0.0001, 0.001, 0.1)}
    for size in (25, 50, 100, 200, 400, 800):
        if size < len(elsewhere):
            drawn = [rng.choice(len(elsewhere), size, replace=False) for _ in range(5)]
            cases[f"bank of {size} others, 5 drawn"] = [(subset(elsewhere, rows), {}) for rows in drawn]
    cases[f"bank of {len(elsewhere)} others"] = [(elsewhere, {})]
    title = f"sensitivity: k 10, epsilon 0.01, bank of the {len(bank)} references, but for"
    made = table(title, "", "KL as described", "KL all shuffled", "Emo3D", "systems", "faces")
    for name, settings in cases.items():
        values = []
        for used, parameters in settings:
            order = Order(systems, pictures, references, used, np.arange(len(references)), **parameters)
            means = [order.kl[order.systems.index(system)].mean() for system in (START, ("shuffled share", 1.0))]
            of_systems = spearman(order.js.mean(axis=1), order.kl.mean(axis=1))
            values.append((*means, emo3d_score(means[0], 1.0), of_systems, spearman(order.js, order.kl)))
        columns = np.array(values).T
        many = len(settings) > 1
        made.add_row(
            name,
            *(between(column.mean(), column.min(), column.max()) if many else f"{column[0]:.2f}" for column in columns),
        )
    CONSOLE.print(made)
    CONSOLE.print("systems, faces: Spearman of KL with JS over all degradations; Emo3D: as described\n")


def show_calibration(readings: np.ndarray, references: References, backbone: Backbone) -> None:
    columns = ("KL", "Emo3D", "MSE of weights", "faces alike")
    made = table("sensitivity: readings of the references' pictures instead of their weights", "", *columns)
    described = References(references.descriptions, references.intensities)
    true = score(references.expressions, described, backbone=backbone)
    results = {"true weights": (references.expressions, true)}
    for method in METHODS:
        settings = ScoreSettings(space="reading", calibration=method)
        told = rig_weights(readings, "reading", method)
        results[f"readings, {method}"] = told, score(readings, described, settings=settings, backbone=backbone)
    for name, (weights, result) in results.items():
        cells = [between(getattr(result, number), *result.intervals[number]) for number in ("kl_divergence", "emo3d")]
        mse = ((weights - references.expressions) ** 2).mean()
        alike = spearman(true.per_sample["kl_divergence"], result.per_sample["kl_divergence"])
        made.add_row(name, *cells, f"{mse:.4f}", f"{alike:.2f}")
    CONSOLE.print(made)
    CONSOLE.print(true.signature, soft_wrap=True, highlight=False)


def draw(path: Path, drawn: dict[str, tuple[Order, dict[tuple[str, str], np.ndarray]]], title: str) -> None:
    """A line for each backbone: mean KL and mean MSE of the systems over their JS, and how well both order faces."""
    plt.rcParams.update({"font.size": 10, "axes.spines.top": False, "axes.spines.right": False})
    figure, lines = plt.subplots(
        len(drawn), 3, figsize=(14, 1 + 4.4 * len(drawn)), squeeze=False, layout="constrained", width_ratios=(1, 1, 1.2)
    )
    for axes, (name, (order, of_faces)) in zip(lines, drawn.items(), strict=True):
        for axis, (measure, values) in zip(axes, {"KL": order.kl, "MSE": order.mse}.items(), strict=False):
            for kind, color, marker in zip(KINDS, COLORS, "os^DX", strict=True):
                rows = order.rows([kind])
                means = order.js[rows].mean(axis=1), values[rows].mean(axis=1)
                axis.plot(*means, f"{marker}-", color=color, label=kind, alpha=0.9)
            axis.set(xlabel="mean JS from the emotions described", ylabel=f"mean {measure}")
            axis.set(xlim=(0, None), ylim=(0, None), title=f"{name}: {measure} of degraded faces")
        axes[0].legend(frameon=False, loc="lower right")
        places = np.arange(len(GROUPS))[::-1]
        for offset, (target, short) in zip((0.16, -0.16), ((SAME, "own face"), (LIKE, "like face")), strict=True):
            for index, (measure, color) in enumerate((("KL", COLORS[0]), ("MSE", COLORS[1]))):
                value, low, high = np.array([of_faces[target, group][index] for group in GROUPS]).T
                axes[2].errorbar(
                    value,
                    places + offset,
                    xerr=(value - low, high - value),
                    fmt="o",
                    color=color,
                    markerfacecolor="white" if target == SAME else color,
                    capsize=2,
                    label=f"{measure}, {short}",
                )
        axes[2].set_yticks(places, list(GROUPS))
        axes[2].set(xlabel="Spearman's correlation with JS", xlim=(None, 1), title=f"{name}: order of single faces")
        axes[2].legend(frameon=False, loc="upper center", bbox_to_anchor=(0.4, -0.13), ncols=4, columnspacing=1)
    figure.suptitle(f"{title}; left and middle: held against {LIKE}")
    figure.savefig(path, dpi=100)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--references", default="sample", help="as for `emo3d score`; rows with blendshapes")
    parser.add_argument("--config")
    parser.add_argument("--split", default="test")
    parser.add_argument("--others", default="train", help="split whose descriptions make the other banks")
    parser.add_argument("--faces", type=int, default=250, help="at most, evenly spaced over the split")
    parser.add_argument("--backbone", action="append", help="any number of them; those not to be had are left out")
    parser.add_argument("--picture", type=Path, help="a .png to write")
    parser.add_argument("--reader", help="an emotion reader, see emo3d_lab.readers.load_reader")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    source, config, split = arguments.references, arguments.config, arguments.split
    references = open_references(source, config, split)
    if references.expressions is None:
        parser.error(f"expected references with blendshapes, {source} has none")
    kept = np.unique(np.linspace(0, len(references) - 1, arguments.faces).astype(int))
    weights = rig_weights(references.expressions[kept], references.space or "weights")
    descriptions = [references.descriptions[row] for row in kept]
    references = References(descriptions, references.intensities[kept], weights, "weights")
    if source == "sample":  # its grammar has more to say than the rows that are shipped
        rows = make_rows("train", 1600)
        others = References([row.description for row in rows], np.stack([row.intensities for row in rows]))
    else:
        others = open_references(source, config, arguments.others)
    described = distribution(references.intensities)
    between_rows = cdist(described, described, "jensenshannon")
    between_rows[cdist(weights, weights) == 0] = np.inf  # the very face, under another description too
    targets = {SAME: np.arange(len(kept)), LIKE: between_rows.argmin(axis=1)}
    systems = degrade(weights, references.intensities)
    title = f"{len(kept)} references of {source}, {len(systems)} systems"
    stranger = Stranger.read(systems, arguments.reader) if arguments.reader else None

    drawn = {}
    for name in arguments.backbone or ["quickstart", "openai/clip-vit-base-patch32"]:
        try:
            backbone = load_backbone(name)
        except OSError as error:
            CONSOLE.print(f"{name}: left out, {error}\n", soft_wrap=True)
            continue
        CONSOLE.print(f"{name}@{backbone.revision}: {title}\n", highlight=False)
        bank = Bank.encode(references.descriptions, references.intensities, backbone)
        pictures = {system: embed(told, backbone) for system, (told, _) in tqdm(systems.items(), "faces", leave=False)}
        orders = {
            target: Order(systems, pictures, references, bank, rows, stranger) for target, rows in targets.items()
        }
        drawn[name] = orders[LIKE], show_order(orders)
        kls = dict(zip(systems, orders[SAME].kl, strict=True))
        show_people(kls, references.intensities, orders[SAME].stranger)
        show_retest(systems, references, bank, backbone)
        elsewhere = Bank.encode(others.descriptions, others.intensities, backbone)
        show_sensitivity(systems, pictures, references, bank, elsewhere)
        if not is_release(source) and not source.endswith(".parquet"):
            found = load_dataset(str(sample_folder()) if source == "sample" else source, config, split=split)
            if "readings" in found.column_names:
                show_calibration(np.array(found["readings"], np.float32)[kept], references, backbone)
    if arguments.picture and drawn:
        draw(arguments.picture, drawn, title)


if __name__ == "__main__":
    main()
