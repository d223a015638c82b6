"""Small pictures for the picture tower: expressions on the faces of the package, and of random strangers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch.nn.functional import adaptive_avg_pool2d
from tqdm.auto import tqdm

from emo3d.face import IDENTITIES, SKIN_TONES, FaceRig, Identity, render_batches
from emo3d_lab.calibrate.sample import sample_identity
from emo3d_lab.sample import SampleRow

_SHARES = (0.4, 0.2, 0.4)  # of rows: on the default face, where predictions are scored; on one that fits; on strangers
_PER_STRANGER = 400  # faces: 100 strangers for 20,000 rows, since each takes a second to build
_CHUNK = 500  # pictures rendered at full size at once


def draw_people(rows: Sequence[SampleRow], seed: int) -> tuple[list[str | Identity], np.ndarray]:
    """People, and the place of each row's person among them, see `_SHARES`."""
    rng = np.random.default_rng(seed)
    strangers = [_stranger(rng) for _ in range(max(1, len(rows) // _PER_STRANGER))]
    kinds, stranger = rng.choice(3, len(rows), p=_SHARES), rng.integers(len(strangers), size=len(rows))
    names = list(IDENTITIES)
    own = [names.index(row.identity) for row in rows]
    return [*names, *strangers], np.choose(kinds, [names.index("adult"), own, len(names) + stranger])


def _stranger(rng: np.random.Generator) -> Identity:
    """A random person, whose skin may have any tone of the scale, whatever the shape of the head."""
    tones = np.array(list(SKIN_TONES.values()), float)
    place = rng.uniform(0, len(tones) - 1)
    red, green, blue = (int(np.interp(place, range(len(tones)), channel)) for channel in tones.T)
    return replace(sample_identity(rng), skin=(red, green, blue))


def render_small(
    weights: np.ndarray, people: Sequence[str | Identity], person: np.ndarray, pixels: int = 112
) -> torch.Tensor:
    """Picture weights, each on the face of one of the people, and reduce them as the tower does.

    Args:
        weights: (N, 51).
        people: P identities.
        person: (N,) int, places in `people`.
        pixels: side of the reduced pictures.

    Returns:
        (N, 3, pixels, pixels) uint8.
    """
    small = torch.empty(len(weights), 3, pixels, pixels, dtype=torch.uint8, memory_format=torch.channels_last)
    for index in tqdm(np.unique(person), "Rendering faces", delay=1, leave=False):
        rig = FaceRig.from_anny(people[index], cache=False)
        places = np.flatnonzero(person == index)
        batches = render_batches(weights[places], rig=rig, batch_size=_CHUNK)
        for start, faces in zip(range(0, len(places), _CHUNK), batches, strict=True):
            whole = torch.from_numpy(faces).permute(0, 3, 1, 2).float()
            small[places[start : start + _CHUNK]] = adaptive_avg_pool2d(whole, pixels).round().byte()
    return small
