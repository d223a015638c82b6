"""A clip for every description of a dataset, as one Parquet file of the config `clips` that `emo3d score` reads."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from emo3d.clips import check_rate
from emo3d.dataset.schema import FEATURES
from emo3d.encoders import weights_digest
from emo3d.files import check_output
from emo3d_lab.clips.director import Director
from emo3d_lab.clips.loading import load_clip_generator
from emo3d_lab.clips.motion import Motion
from emo3d_lab.clips.rows import row_of_clip
from emo3d_lab.training.predictions import read_descriptions, write_blocks

_BLOCK = 50  # clips that a killed run loses at most


def write_clip_predictions(
    generator: Any,
    dataset: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    config: str | None = None,
    split: str = "test",
    seconds: float | None = None,
    rate: float = 30,
    seed: int = 0,
    motion: Motion | None = None,
) -> int:
    """Make a clip of every description of a dataset, into a Parquet file; a run that was killed goes on.

    Args:
        generator: what `load_clip_generator` takes.
        dataset, config, split: see `write_predictions` of training; `"clips"` is the packaged sample's.
        out: a .parquet file, which gets a row of the config `clips` for each description, in their order.
        seconds: length of every clip; what its beats need when None.
        rate: frames per second, 1..240.
        seed: of all that is drawn.
        motion: what a director adds to the stills; all of it when None.

    Returns:
        The number of clips.

    Raises:
        ValueError, OSError: what `write_predictions` and the generator's `generate` refuse; a motion for a learnt one.
    """
    path, rate = check_output(out, (".parquet",)), check_rate(rate)
    if dataset == "clips":
        dataset, config = "sample", "clips"
    texts = read_descriptions(dataset, config, split)
    texts.setdefault("clip_id", list(range(len(texts["description"]))))
    made = load_clip_generator(generator)
    if isinstance(made, Director):
        made.motion = made.motion if motion is None else motion
    elif motion not in (None, Motion()):
        raise ValueError(f"expected a generator of stills for --without, {generator} makes whole clips")
    source = generator if isinstance(generator, str) else type(made).__name__

    def make_table(block: Mapping[str, list[Any]]) -> pa.Table:
        clips = made.generate(block["description"], seconds=seconds, rate=rate, seed=seed)
        rows = [row_of_clip(clip, id, source) for id, clip in zip(block["clip_id"], clips, strict=True)]
        for row in rows:
            row["frames"] = list(row["frames"])  # Arrow takes no 2-D array
        return pa.Table.from_pylist(rows, schema)

    schema = FEATURES["clips"].arrow_schema
    model = getattr(made, "generator", made)
    weights = weights_digest(model) if hasattr(model, "state_dict") else source
    content = [texts["description"], weights, seconds, rate, seed, str(getattr(made, "motion", None))]
    return write_blocks(path, texts, make_table, schema, content, _BLOCK, " clips")
