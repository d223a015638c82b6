"""A face as the demo carries it from tab to tab: made, shown, read, and taken along."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlencode

import numpy as np
from PIL import Image

from emo3d.apps.look import own_folder
from emo3d.blendshapes import BLENDSHAPES, as_dicts
from emo3d.documents import parse_json
from emo3d.emotions import distribution
from emo3d.face import IDENTITIES, FaceRig, RenderSettings, render
from emo3d.face.export import write_glb, write_json, write_livelink_csv
from emo3d.face.spaces import rig_weights
from emo3d.generation import VaeClipModel, load_generator
from emo3d.generation.load import Generator
from emo3d.loading import loaded_once
from emo3d.names import blendshape_names
from emo3d.scoring import QUICKSTART, Backbone, Bank, load_backbone, retrieved_distribution
from emo3d.scoring.core import divergence
from emo3d_demo.animation import transition, write_gif
from emo3d_demo.blender import write_blender_script
from emo3d_demo.visitors import load_public_generator
from emo3d_lab.sample import lexicon, make_rows

LONGEST = 2000
"""Characters of a description; encoders read about the first 1,000."""
PICTURE_SIZE = 512
AS_DESCRIBED = "as described"
"""In place of an identity: the one that fits the description."""
LONGEST_WEIGHTS = 2000
"""Characters of the weights in a link; all 51 have about 1,300."""
_BANK_SIZE, _NEAREST = 2000, 10
_FPS, _HELD = 24, 12  # frames per second of animations, and how many of them the expression is held


@dataclass(frozen=True, eq=False)
class Face:
    """What is shown.

    Attributes:
        weights: (51,) float32 in 0..1.
        identity: a name of `emo3d.face.IDENTITIES`; `AS_DESCRIBED` becomes the one that fits the description.
        description: what was asked for; empty where nothing was.
    """

    weights: np.ndarray
    identity: str = "adult"
    description: str = ""

    def __post_init__(self) -> None:
        if self.identity == AS_DESCRIBED:
            object.__setattr__(self, "identity", fitting_identity(self.description))

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


_PERSONS = {phrase: name for name, phrases in lexicon.PEOPLE.items() if name != "adult" for phrase in phrases}
_PERSONS |= {"he": "man", "him": "man", "his": "man", "she": "woman", "her": "woman", "hers": "woman"}
_PERSON = re.compile(rf"\b({'|'.join(sorted(_PERSONS, key=len, reverse=True))})\b")


def fitting_identity(description: str) -> str:
    """The identity that fits the first person a description names, in words of the lexicon; `"adult"` without one.

    Example:
        >>> fitting_identity("An elderly man in despair"), fitting_identity("She won"), fitting_identity("so tired")
        ('elderly-man', 'woman', 'adult')
    """
    named = _PERSON.search(description.lower())
    return _PERSONS[named[0]] if named else "adult"


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
        ValueError, OSError: see `emo3d_demo.visitors.load_public_generator`.
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


def generate_all(descriptions: Sequence[str], model: str, *, trusted: str) -> np.ndarray:
    """Generate weights (N, 51) float32, one face for each of many descriptions; see `generate`."""
    generator = open_generator(model, trusted)
    return rig_weights(generator.generate(list(descriptions)), generator.config.space)


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
    stem = own_folder() / file_stem(face)
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
    stem = own_folder() / file_stem(end)
    paths = {ending: f"{stem}-animation{ending}" for ending in (".glb", ".gif")}
    write_glb(paths[".glb"], end.weights, rig=end.rig, description=end.description or None, animation=frames, fps=_FPS)
    write_gif(paths[".gif"], frames, rig=end.rig, settings=RenderSettings(size=320), fps=_FPS)
    return paths


def file_stem(face: Face) -> str:
    """What files of a face are called: the first words of its description."""
    words = re.findall(r"[a-z0-9]+", face.description.lower())[:6]
    return "-".join(["face", *words])[:60]


def by_name(weights: np.ndarray) -> dict[str, float]:
    """Weights by blendshape, four decimals."""
    return {name: round(weight, 4) for name, weight in as_dicts(weights)[0].items()}


def parse_weights(text: str) -> np.ndarray:
    """Weights (51,) from JSON `{name: weight}`; what is not named is 0.

    Raises:
        ValueError: no JSON object, an unknown name, two names for one blendshape, or a weight outside 0..1.
    """
    expected = 'Expected a JSON object of blendshapes with weights in 0..1, as in {"jawOpen": 0.4}'
    try:
        given = parse_json(text)
    except ValueError as error:
        raise ValueError(f"{expected}; {error}") from error
    if not isinstance(given, dict):
        raise ValueError(f"{expected}.")
    return _weights(given)


def _weights(given: Mapping[str, object]) -> np.ndarray:
    weights = dict.fromkeys(BLENDSHAPES, 0.0)
    by_name = blendshape_names(given)
    known = {spelling for name, spelling in by_name.items() if name in weights}
    for spelling, weight in given.items():
        if spelling not in known:
            raise ValueError(f"Expected names of emo3d.BLENDSHAPES, got {spelling!r:.60}.")
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight <= 1:
            raise ValueError(f"Expected weights in 0..1, got {spelling} = {weight!r:.60}.")
        weights[next(name for name in by_name if by_name[name] == spelling)] = float(weight)
    return np.array(list(weights.values()), np.float32)


class Link(NamedTuple):
    """What the address of a page says of a face.

    Attributes:
        description: empty where the link has none.
        identity: a name of `emo3d.face.IDENTITIES`, or `AS_DESCRIBED`.
        weights: (51,) float32, None where the link has none; the description is then generated anew.
    """

    description: str
    identity: str
    weights: np.ndarray | None


def link_query(face: Face) -> str:
    """The part of an address, after the question mark, that reopens a face."""
    weights = ",".join(f"{name}:{weight:g}" for name, weight in by_name(face.weights).items() if weight)
    said = {"description": face.description} if face.description else {}
    return urlencode({**said, "identity": face.identity, "weights": weights})


def parse_link(query: Mapping[str, str]) -> Link | None:
    """Read what an address says of a face; other parameters have other readers.

    Args:
        query: parameters of the address, decoded.

    Returns:
        None where it says nothing of a face.

    Raises:
        ValueError: an unknown identity, too long a description, or weights as in no link of ours.
    """
    if not {"description", "weights"} & set(query):
        return None
    description, identity = query.get("description", "").strip(), query.get("identity", AS_DESCRIBED)
    if len(description) > LONGEST:
        raise ValueError(f"This link has too long a description: please use at most {LONGEST:,} characters.")
    if identity not in (AS_DESCRIBED, *IDENTITIES):
        raise ValueError(f"This link names the identity {identity!r:.60}; there are {', '.join(IDENTITIES)}.")
    if "weights" not in query:
        return Link(check_description(description), identity, None)
    text = query["weights"]
    if len(text) > LONGEST_WEIGHTS or not re.fullmatch(r"(\w+:\d(\.\d+)?(,|$))*", text, re.ASCII):
        raise ValueError("This link is damaged: expected weights in 0..1, as in weights=jawOpen:0.4,mouthPucker:0.2.")
    pairs = [part.split(":") for part in text.split(",") if part]
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("This link is damaged: it has one blendshape twice.")
    return Link(description, identity, _weights({name: float(weight) for name, weight in pairs}))
