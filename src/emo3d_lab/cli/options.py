"""Options that several subcommands share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from emo3d.face import FaceRig
    from emo3d_lab.characters import Character

Calibration = Annotated[
    str,
    typer.Option(help="How readings become weights: network (likeliest), refine (fitted), none (raw, as published)."),
]
Layout = Annotated[str | None, typer.Option(help="Of bare vectors: emo3d (51), mediapipe (52) or arkit (51 or 52).")]
Names = Annotated[
    str | None,
    typer.Option(
        help="What blendshapes are called, in a file or on a character: a JSON file (theirs -> ours), cc4, metahuman "
        "or vroid."
    ),
]
Scale = Annotated[float | None, typer.Option(help="The score that means 1: 100 for percent.")]
Clip = Annotated[bool, typer.Option("--clip", help="Clip to 0..1 what lies outside by more than 0.02, too.")]
Model = Annotated[str, typer.Option(help="Generator: quickstart (packaged), a folder, or an id on the Hub.")]
Identity = Annotated[str, typer.Option(help="Whose face: adult, girl, boy, young-woman, ..., elderly-man.")]
CharacterFile = Annotated[
    Path | None, typer.Option("--character", help="Your own character in place of an identity: .glb, .gltf or .vrm.")
]
Map = Annotated[
    Path | None, typer.Option(help="What a character's shapes are made of that have no ARKit names, from emo3d map.")
]
Face = Annotated[str | None, typer.Option(help="Of the character: a node or mesh, where the scene has several faces.")]
CharacterCalibration = Annotated[
    Path | None, typer.Option(help="How readings become weights of the --character: a file that emo3d calibrate wrote.")
]
Size = Annotated[int, typer.Option(min=1, max=4096, help="Side of pictures, pixels.")]
NumProc = Annotated[int | None, typer.Option(help="Processes.", show_default="one per processor")]
MaxPixels = Annotated[int, typer.Option(help="Pictures with more pixels are left out.")]
Strict = Annotated[bool, typer.Option(help="Stop at the first row or picture that cannot be used.")]
Engine = Annotated[
    str, typer.Option(help="processes (of this machine), or ray: a Ray of its own, or the cluster at --address.")
]
Address = Annotated[
    str | None,
    typer.Option(help="Of a Ray cluster of which this is a node: auto, or host:port; nodes share a file system."),
]
Force = Annotated[bool, typer.Option(help="Replace what another source or other options have left there.")]
Config = Annotated[str | None, typer.Option(help="Config of the dataset.")]
Split = Annotated[str, typer.Option(help="Split of the dataset.")]
Space = Annotated[
    str | None,
    typer.Option(
        help="Of the expressions: reading or weights.",
        show_default="the file's, the references', or weights",
    ),
]
ModelRevision = Annotated[str | None, typer.Option(help="Of the model: branch, tag or commit.")]
Landmarker = Annotated[
    Path | None, typer.Option(help="A face_landmarker.task; by default the packaged or downloaded one.")
]

# Of the score; see `emo3d.scoring.ScoreSettings`.
DEFAULT_BACKBONE = "openai/clip-vit-base-patch32"  # stated here too: its module imports torch
Backbone = Annotated[str, typer.Option(help="Dual encoder on the Hub, or quickstart (packaged).")]
BackboneRevision = Annotated[str | None, typer.Option(help="Of the backbone: branch, tag or commit.")]
Variant = Annotated[str, typer.Option(help="paper, or release (what the published code computes).")]
Alpha = Annotated[float | None, typer.Option(help="Divides the mean KL; the variant's own when left out.")]
K = Annotated[int, typer.Option(help="Descriptions retrieved per face.")]
Identities = Annotated[int, typer.Option(help="Above 1: average over so many faces of a fixed panel.")]
Device = Annotated[str, typer.Option(help="Where models run: cpu, cuda, cuda:1, mps.")]
BatchSize = Annotated[int, typer.Option(help="Descriptions, and faces, encoded at a time.")]

# Of emotion readers; see `emo3d_lab.readers.load_reader`.
Readers = Annotated[
    str | None,
    typer.Option(
        help="Emotion readers beside the score, with commas between: face-api, hsemotion, image classifiers on the Hub "
        "or in folders."
    ),
]
ReaderLabels = Annotated[
    Path | None, typer.Option(help="JSON file: what labels of a reader mean, label -> emotion or null.")
]


def open_character(
    path: Path | None,
    names: str | None = None,
    map: Path | None = None,
    face: str | None = None,
    calibration: Path | None = None,
    identity: str = "adult",
    identities: int = 1,
) -> Character | None:
    """Open what `--character` and the options beside it name; None where none is asked for.

    Raises:
        ValueError: what `Character.from_file` refuses; options of a character without one, or an identity beside it.
        FileNotFoundError: no such file.
    """
    if path is None:
        for option, value in (("--map", map), ("--face", face), ("--character-calibration", calibration)):
            if value is not None:
                raise ValueError(f"expected --character FILE with {option} {value}, got none")
        return None
    if identity != "adult":
        raise ValueError(f"expected --identity or --character, got {identity} and {path}")
    if identities > 1:
        raise ValueError(f"expected --identities or --character, got {identities} and {path}: a character is one face")
    from emo3d_lab.characters import Character

    return Character.from_file(path, names=names, map=map, face=face, calibration=calibration)


def rig_of(character: Character | None, identity: str) -> FaceRig | str:
    """Whose face is rendered: the character's where there is one, else the identity."""
    return identity if character is None else character.rig
