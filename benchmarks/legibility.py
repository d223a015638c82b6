"""Do strangers see what our faces mean? An emotion reader that nobody here trained looks at them.

    python benchmarks/legibility.py [--reader face-api] [--people named | --people random --seed 0 --count 23]

Shares of faces whose likeliest emotion, of those that the reader knows, is the one that they were made for:
prototypes of each emotion by strength (the weights times it), each variant, recipes that show an emotion, and the
pictures of the sample's test split that are mostly one emotion. In brackets: 95% Wilson intervals.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Mapping

import numpy as np
from PIL import Image
from pyarrow import parquet
from rich.console import Console
from rich.table import Table

from emo3d.blendshapes import BLENDSHAPES
from emo3d.dataset import sample_folder
from emo3d.emotions import EMOTIONS, distribution
from emo3d.face import FaceRig
from emo3d.face.identities import NAMED
from emo3d.scoring.core import wilson_interval
from emo3d_lab.calibrate.sample import sample_identity
from emo3d_lab.readers import EmotionReader, load_reader
from emo3d_lab.recipes import STRENGTHS as STEPS
from emo3d_lab.recipes import recipes
from emo3d_lab.sample.prototypes import PROTOTYPES, VARIANTS

CONSOLE = Console(width=140)
STRENGTHS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
MOSTLY = 0.5  # of the intensities of a row of the sample, for it to count as one of an emotion


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reader", default="face-api")
    parser.add_argument("--people", choices=("named", "random"), default="named")
    parser.add_argument("--seed", type=int, default=0, help="of random people")
    parser.add_argument("--count", type=int, default=23, help="random people")
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    random = options.people == "random"
    rigs = [FaceRig.from_anny(person) for person in ([] if random else NAMED)]
    rigs += [FaceRig.from_anny(sample_identity(rng), cache=False) for _ in range(options.count if random else 0)]
    reader = load_reader(options.reader)
    by_strength(rigs, reader)
    by_variant(rigs, reader)
    by_recipe(rigs, reader)
    by_reference(reader)


def names(reader: EmotionReader, shares: np.ndarray) -> np.ndarray:
    """Likeliest emotions of answers (N, E); "none" where no face was found."""
    likeliest = np.array(reader.emotions)[np.nan_to_num(shares).argmax(axis=1)]
    return np.where(np.isnan(shares).any(axis=1), "none", likeliest)


def vector(weights: Mapping[str, float]) -> np.ndarray:
    return np.array([weights.get(name, 0.0) for name in BLENDSHAPES])


def by_strength(rigs: list[FaceRig], reader: EmotionReader) -> None:
    """Prototypes by emotion and strength, and what they are taken for at full strength."""
    readable = reader.emotions
    weights = np.stack([strength * vector(PROTOTYPES[emotion]) for emotion in readable for strength in STRENGTHS])
    answers = np.array([names(reader, reader.read_expressions(weights, rig=rig)) for rig in rigs]).reshape(
        len(rigs), len(readable), len(STRENGTHS)
    )
    table = Table("prototype", *(f"x {strength:g}" for strength in STRENGTHS), "taken for, at full strength")
    for row, emotion in enumerate(readable):
        right = (answers[:, row] == emotion).sum(axis=0)
        table.add_row(emotion, *map(str, right), tally(answers[:, row, -1]))
    right = (answers == np.array(readable)[:, None]).sum(axis=(0, 1))
    table.add_row("all", *(share(int(count), len(rigs) * len(readable)) for count in right), "")
    CONSOLE.print(table, f"of {len(rigs)} people each")


def by_variant(rigs: list[FaceRig], reader: EmotionReader) -> None:
    """Every variant at full and half strength."""
    readable = reader.emotions
    variants = [(emotion, name) for emotion in readable for name in VARIANTS[emotion]]
    full = np.stack([vector(VARIANTS[emotion][name]) for emotion, name in variants])
    both = np.concatenate([full, full / 2])
    answers = np.array([names(reader, reader.read_expressions(both, rig=rig)) for rig in rigs])
    table = Table("variant", "full", "half", "taken for, at full strength")
    for k, (emotion, name) in enumerate(variants):
        full_right, half_right = ((answers[:, place] == emotion).sum() for place in (k, len(variants) + k))
        table.add_row(f"{emotion}.{name}", str(full_right), str(half_right), tally(answers[:, k]))
    CONSOLE.print(table)


def by_recipe(rigs: list[FaceRig], reader: EmotionReader) -> None:
    """Recipes that show an emotion: taken for it, or for one of the two of a blend."""
    rows = {name: recipe for name, recipe in recipes().items() if not name.endswith(" right")}
    expressions = np.stack([recipe.expression for recipe in rows.values()])
    answers = np.array([names(reader, reader.read_expressions(expressions, rig=rig)) for rig in rigs])
    table, counts = Table("recipe", "shows", "right", "taken for"), dict[str, list[int]]()
    for column, (name, recipe) in enumerate(rows.items()):
        if set(recipe.emotions) & set(reader.emotions):
            right = int(np.isin(answers[:, column], recipe.emotions).sum())
            table.add_row(name, " + ".join(recipe.emotions), str(right), tally(answers[:, column]))
            prefix = name.removesuffix(recipe.emotion or "") or "plain" if recipe.kind == "emotion" else recipe.kind
            for group in [prefix.strip()] if name != "neutral" else [*(word or "plain" for word in STEPS)]:
                counts.setdefault(group, []).append(right)
    for group, rights in counts.items():
        table.add_row(f"all {group}", "", share(sum(rights), len(rights) * len(rigs)), f"{len(rights)} recipes")
    CONSOLE.print(table)


def by_reference(reader: EmotionReader) -> None:
    """Pictures of the sample's test split, by the emotion that they mostly are."""
    readable = reader.emotions
    rows = parquet.read_table(sample_folder() / "test.parquet", columns=["intensities", "image"]).to_pylist()
    shares = distribution([row["intensities"] for row in rows])
    emotions = np.array(EMOTIONS)[shares.argmax(axis=1)]
    kept = np.flatnonzero((shares.max(axis=1) > MOSTLY) & np.isin(emotions, readable))
    files = [rows[row]["image"]["bytes"] for row in kept]
    pictures = [np.array(Image.open(io.BytesIO(file)).convert("RGB")) for file in files]
    answers = names(reader, reader.read(pictures))
    emotions, right = emotions[kept], answers == emotions[kept]
    table = Table("sample, test split", "rows", "right", "taken for")
    parts = {emotion: emotions == emotion for emotion in readable}
    for name, part in {**parts, "all": np.full(len(right), True), "all but neutral": ~parts["neutral"]}.items():
        seen = tally(answers[part]) if name in parts else ""
        table.add_row(name, str(part.sum()), share(int(right[part].sum()), int(part.sum())), seen)
    CONSOLE.print(table)


def tally(answers: np.ndarray) -> str:
    names, counts = np.unique(answers, return_counts=True)
    return ", ".join(f"{name} {count}" for name, count in zip(names, counts, strict=True))


def share(count: int, total: int) -> str:
    if not total:
        return "none"
    low, high = wilson_interval(count / total, total)
    return f"{count / total:.0%} [{100 * low:.0f}, {100 * high:.0f}]"


if __name__ == "__main__":
    main()
