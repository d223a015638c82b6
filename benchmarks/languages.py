"""How well a generator understands plain emotions, language by language, against English.

    python benchmarks/languages.py [--generator quickstart-multilingual] [--rows 60] [--all]

Rows are made of words and sentences held out of `make_multilingual_rows`: a word of one emotion in a plain sentence,
or, with --all, degrees, denials and situations too. Shares are of generated expressions whose strongest emotion is the
one described: by the prototype that is most similar (cosine; neutral where an expression is hardly there), and by what
the quickstart backbone retrieves for the face from the embedded sample. In brackets: 95% Wilson intervals; rows share
about 25 held-out words per language, so they are too narrow. Last come shares of the English ones.
"""

from __future__ import annotations

import argparse

import numpy as np
import pyarrow as pa
from pyarrow import parquet
from rich.console import Console
from rich.table import Table

from emo3d import load_generator
from emo3d.blendshapes import BLENDSHAPES, mirror
from emo3d.dataset import sample_folder
from emo3d.emotions import EMOTIONS
from emo3d.face import RenderSettings, render
from emo3d.scoring import QUICKSTART, Bank, load_backbone
from emo3d.scoring.core import retrieved_distribution, wilson_interval
from emo3d_lab.sample.languages import LANGUAGES, make_multilingual_rows
from emo3d_lab.sample.prototypes import VARIANTS

CONSOLE = Console(width=120)
# Length of an expression below which it is neutral; that of the shortest prototype is 0.92.
HARDLY = 0.45


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--generator", default="quickstart-multilingual")
    parser.add_argument("--rows", type=int, default=60, help="per language")
    parser.add_argument("--all", action="store_true", help="degrees, denials and situations too")
    options = parser.parse_args()
    generator, read = load_generator(options.generator), Reader()
    order = ["en", *(code for code in LANGUAGES if code != "en")]
    table = Table("language", "n", "by prototype", "by backbone", "of English", "", title=options.generator)
    english: list[float] = []
    for code in order:
        rows = make_multilingual_rows(options.rows, held_out=True, languages=[code], plain=not options.all)
        truth = np.array([row.intensities.argmax() for row in rows])
        expressions = generator.generate([row.description for row in rows], space="weights")
        shares = [float((names == truth).mean()) for names in (nearest_prototype(expressions), read(expressions))]
        english = english or shares
        ratios = [f"{share / best:.0%}" if best else "–" for share, best in zip(shares, english, strict=True)]
        table.add_row(code, str(len(rows)), *(with_interval(share, len(rows)) for share in shares), *ratios)
    CONSOLE.print(table)


def with_interval(share: float, n: int) -> str:
    low, high = wilson_interval(share, n)
    return f"{share:.0%} ({low:.0%}-{high:.0%})"


def nearest_prototype(expressions: np.ndarray) -> np.ndarray:
    """Places in `EMOTIONS` (N,) of the prototypes most similar to expressions (N, 51), on whichever side they are."""
    vectors, places = [], []
    for place, emotion in enumerate(EMOTIONS):
        for weights in VARIANTS[emotion].values():
            vector = np.array([weights.get(name, 0.0) for name in BLENDSHAPES])
            if vector.any():
                vectors += [vector, mirror(vector[None])[0]]
                places += [place, place]
    similarity = expressions @ np.array([vector / np.linalg.norm(vector) for vector in vectors]).T
    return np.where(np.linalg.norm(expressions, axis=1) < HARDLY, 0, np.array(places)[similarity.argmax(axis=1)])


class Reader:
    """Reads the strongest emotion off faces, with the quickstart backbone and the embedded sample as its bank."""

    def __init__(self) -> None:
        self.backbone = load_backbone(QUICKSTART)
        tables = [parquet.read_table(file) for file in sorted(sample_folder().glob("*.parquet"))]
        rows = pa.concat_tables(tables, promote_options="default")
        self.bank = Bank.encode(rows["description"].to_pylist(), rows["intensities"].to_pylist(), self.backbone)

    def __call__(self, expressions: np.ndarray) -> np.ndarray:
        """Places in `EMOTIONS` (N,) for expressions (N, 51), weights."""
        faces = render(expressions, settings=RenderSettings(size=self.backbone.image_size))
        rows = self.bank.nearest(self.backbone.encode_pictures(np.asarray(faces)), 10)
        return retrieved_distribution(self.bank.intensities[rows]).argmax(axis=1)


if __name__ == "__main__":
    main()
