"""A face as the demo carries it from tab to tab: made, shown, read, and taken along."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from emo3d.apps.look import own_folder
from emo3d.blendshapes import BLENDSHAPES, as_dicts
from emo3d.dataset import make_rows
from emo3d.emotions import distribution
from emo3d.face import FaceRig, RenderSettings, render
from emo3d.face.animation import transition, write_gif
from emo3d.face.blender import write_blender_script
from emo3d.face.export import write_glb, write_json, write_livelink_csv
from emo3d.face.spaces import rig_weights
from emo3d.generation import VaeClipModel, load_generator
from emo3d.generation.load import Generator
from emo3d.loading import loaded_once
from emo3d.scoring import QUICKSTART, Backbone, Bank, load_backbone, retrieved_distribution
from emo3d.scoring.core import divergence
from emo3d.visitors import load_public_generator

LONGEST = 2000
"""Characters of a description; encoders read about the first 1,000."""
PICTURE_SIZE = 512
_BANK_SIZE, _NEAREST = 2000, 10
_FPS, _HELD = 24, 12  # frames per second of animations, and how many of them the expression is held


@dataclass(frozen=True, eq=False)
class Face:
    """What is shown.

    Attributes:
        weights: (51,) float32 in 0..1.
        identity: a name of `emo3d.face.IDENTITIES`.
        description: what was asked for; empty where nothing was.
    """

    weights: np.ndarray
    identity: str = "adult"
    description: str = ""

    @property
    def rig(self) -> FaceRig:
        """Whose head it is."""
        return FaceRig.from_anny(self.identity)


@dataclass(frozen=True, eq=False)
class Reading:
    """What one sees in a face who never read the description.

    Attributes:
        shown: (8,) emotion distribution of the ten known descriptions nearest to the picture.
        described: (8,) of those nearest to the description, None without one.
        divergence: of `shown` from `described` in nats, 0 or a little less where they are equal; None without one.
    """

    shown: np.ndarray
    described: np.ndarray | None = None
    divergence: float | None = None


def check_description(description: str) -> str:
    """Strip a description.

    Raises:
        ValueError: a blank or an endless one.
    """
    if not description.strip():
        raise ValueError("Please describe a feeling first.")
    if len(description) > LONGEST:
        raise ValueError(f"Please use at most {LONGEST:,} characters.")
    return description.strip()


def open_generator(id: str, trusted: str = QUICKSTART) -> Generator:
    """Load a generator that a visitor names.

    Args:
        id: `"quickstart"`, what the Space itself was started with (`trusted`), or an id on the Hub.
        trusted: may be a folder.

    Raises:
        ValueError, OSError: see `emo3d.visitors.load_public_generator`.
    """
    if id in (QUICKSTART, trusted):
        return load_generator(id)
    return load_public_generator(id)


def generate(
    description: str, model: str = QUICKSTART, *, samples: int = 1, seed: int = 0, trusted: str = QUICKSTART
) -> np.ndarray:
    """Generate weights for a description.

    Args:
        description: a sentence.
        model: see `open_generator`.
        samples: S, faces of a generator that can vary (VAE-CLIP); the others give one.
        seed: of the variation.
        trusted: see `open_generator`.

    Returns:
        (S, 51) float32 weights.
    """
    text = check_description(description)
    generator = open_generator(model, trusted)
    if isinstance(generator, VaeClipModel):
        scores = generator.generate([text], num_return_sequences=samples, seed=seed).reshape(-1, len(BLENDSHAPES))
    else:
        scores = generator.generate([text])
    return rig_weights(scores, generator.config.space)


def strengthen(weights: np.ndarray, strength: float) -> np.ndarray:
    """Scale weights so that they stay in 0..1 without clipping: 1 - (1 - weight) ** strength."""
    return (1 - (1 - weights) ** strength).astype(np.float32)


def portrait(face: Face, size: int = PICTURE_SIZE) -> np.ndarray:
    """The face from the front, (size, size, 3) uint8."""
    return render(face.weights, rig=face.rig, settings=RenderSettings(size=size))[0]


def read(face: Face) -> Reading:
    """Read the emotions off a picture of the face, and off its description."""
    backbone, bank = _backbone_and_bank()
    picture = render(face.weights, rig=face.rig, settings=RenderSettings(size=backbone.image_size))
    nearest = bank.intensities[bank.nearest(backbone.encode_pictures(picture), _NEAREST)]
    shown = retrieved_distribution(nearest)
    if not face.description.strip():
        return Reading(shown[0])
    described = _described(face.description)
    return Reading(shown[0], described, float(divergence(described[None], nearest)[0]))


@lru_cache(maxsize=1024)  # one description is read for each head, strength and variant of it
def _described(description: str) -> np.ndarray:
    backbone, bank = _backbone_and_bank()
    asked = backbone.encode_texts([description]).embeddings
    return retrieved_distribution(bank.intensities[bank.nearest(asked, _NEAREST)])[0]


@loaded_once(maxsize=1)
def _backbone_and_bank() -> tuple[Backbone, Bank]:
    backbone = load_backbone(QUICKSTART)
    rows = make_rows("train", _BANK_SIZE, seed=0)
    descriptions, intensities = [row.description for row in rows], [row.intensities for row in rows]
    return backbone, Bank.encode(descriptions, intensities, backbone, cache=True)


@lru_cache(maxsize=1)
def prior() -> float:
    """Divergence of an answer that hedges: the known descriptions' mean emotions, against each of them."""
    _, bank = _backbone_and_bank()
    wanted = distribution(bank.intensities)
    mean = np.broadcast_to(wanted.mean(axis=0), (len(wanted), 1, wanted.shape[1]))
    return float(divergence(wanted, mean).mean())


def write_files(face: Face) -> dict[str, str]:
    """Write everything that one can take along.

    Returns:
        Ending -> path: `.glb` (52 morph targets), `.json` (ARKit names), `.csv` (Live Link Face), `.py` (Blender),
        `.png`; all in a folder of their own.
    """
    stem = own_folder() / _stem(face)
    paths = {ending: f"{stem}{ending}" for ending in (".glb", ".json", ".csv", ".py", ".png")}
    write_glb(paths[".glb"], face.weights, rig=face.rig, description=face.description or None)
    write_json(paths[".json"], face.weights)
    write_livelink_csv(paths[".csv"], face.weights)
    write_blender_script(paths[".py"], face.weights)
    Image.fromarray(portrait(face)).save(paths[".png"], compress_level=1)  # a third of the time
    return paths


def write_animation(start: Face, end: Face) -> dict[str, str]:
    """Write an animation from one face to another and back, both on the second one's head.

    Returns:
        Ending -> path: `.glb` with an animation of the weights, `.gif`.
    """
    there = transition(start.weights, end.weights, frames=_FPS)
    frames = np.concatenate([there, np.repeat(there[-1:], _HELD, axis=0), there[::-1]])
    stem = own_folder() / _stem(end)
    paths = {ending: f"{stem}-animation{ending}" for ending in (".glb", ".gif")}
    write_glb(paths[".glb"], end.weights, rig=end.rig, description=end.description or None, animation=frames, fps=_FPS)
    write_gif(paths[".gif"], frames, rig=end.rig, settings=RenderSettings(size=320), fps=_FPS)
    return paths


def _stem(face: Face) -> str:
    words = re.findall(r"[a-z0-9]+", face.description.lower())[:6]
    return "-".join(["face", *words])[:60]


def by_name(weights: np.ndarray) -> dict[str, float]:
    """Weights by blendshape, four decimals."""
    return {name: round(weight, 4) for name, weight in as_dicts(weights)[0].items()}


def parse_weights(text: str) -> np.ndarray:
    """Weights (51,) from JSON `{name: weight}`; what is not named is 0.

    Raises:
        ValueError: no JSON object, an unknown name, or a weight outside 0..1.
    """
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):  # the latter of brackets in brackets
        given = None
    if not isinstance(given, dict):
        raise ValueError('Expected a JSON object of blendshapes, as in {"jawOpen": 0.4}.')
    for name, weight in given.items():
        if name not in BLENDSHAPES:
            raise ValueError(f"Expected names of emo3d.BLENDSHAPES, got {name!r:.60}.")
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight <= 1:
            raise ValueError(f"Expected weights in 0..1, got {name} = {weight!r:.60}.")
    return np.array([given.get(name, 0.0) for name in BLENDSHAPES], np.float32)
