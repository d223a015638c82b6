"""`emo3d speak`: an emotion over a lip-sync track."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from emo3d.cli.app import app, console, utf8
from emo3d.files import check_output
from emo3d_lab.cli.characters import check_other_file
from emo3d_lab.cli.options import CharacterFile, Identity, Map, Model, Names, Size

if TYPE_CHECKING:
    from emo3d.clips import Clip
    from emo3d_lab.characters import Character


@app.command(
    epilog='Examples: [bold]emo3d speak take.csv "delighted" --out clip.glb[/] · '
    '[bold]emo3d speak rhubarb.json "calm, then suddenly furious" --out clip.mp4[/] · docs/clips.md'
)
def speak(
    speech: Annotated[
        Path,
        typer.Argument(
            help="Lip-sync: Oculus' visemes over time (.csv, .json), cues of TalkingHead or Rhubarb (.json, .tsv), or "
            "a take of Live Link Face, BEAT, Audio2Face, MediaPipe."
        ),
    ],
    emotion: Annotated[
        str, typer.Argument(help="What the face shows meanwhile; or a clip or take of it, as long as the speech.")
    ],
    out: Annotated[
        Path, typer.Option(help="By the ending: .json .npz .parquet .csv (Live Link) .glb .vrm .gif .mp4 .py, ...")
    ],
    rate: Annotated[
        float | None, typer.Option(help="Frames per second.", show_default="the track's; of cues 30")
    ] = None,
    still: Annotated[bool, typer.Option("--still", help="Hold one expression: no beats, no blinks, no turns.")] = False,
    picture: Annotated[Path | None, typer.Option(help="Draw a strip of film as .png or .jpg.")] = None,
    strength: Annotated[float, typer.Option(help="How strongly to act: 0 (at rest) to 1.5; quickstart, say.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Of blinks, gaze and turns of the head.")] = 0,
    fps: Annotated[float | None, typer.Option(help="Frames per second, where a take has no times.")] = None,
    model: Model = "quickstart",
    character: CharacterFile = None,
    identity: Identity = "adult",
    names: Names = None,
    map: Map = None,
    size: Size = 320,
) -> None:
    """Lay an emotion over speech: lips close and open as the speech has them, the emotion shapes the rest."""
    from emo3d.clips import check_rate
    from emo3d_lab.clips.files import ENDINGS

    check_output(out, ENDINGS)
    check_other_file(out, speech, character)
    if picture is not None:
        check_output(picture, (".png", ".jpg", ".jpeg", ".webp"))
    if rate is not None:
        check_rate(rate)
    from emo3d_lab.cli.clips import write_clip_files
    from emo3d_lab.clips.speech import compose
    from emo3d_lab.clips.visemes import read_speech

    track = read_speech(speech, rate=rate, names=None if character else names, fps=fps).to_weights()
    given = {"--model": model != "quickstart", "--strength": strength != 1, "--seed": seed != 0, "--still": still}
    meanwhile = _recorded(utf8(emotion), rate, fps, None if character else names, given)
    if meanwhile is None:
        meanwhile = _acted(utf8(emotion), track, model, strength, seed, still)
    elif meanwhile.rate != track.rate and len(meanwhile) > 1:
        rates = f"{track.rate:g} frames per second, the emotion's {meanwhile.rate:g}"
        raise ValueError(
            f"expected one rate, got the speech's {rates}: pass --rate {meanwhile.rate:g} to read both at it"
        )
    clip = compose(track, meanwhile)
    whose: str | Character = identity
    if character is not None:
        from emo3d_lab.characters import Character

        whose = Character.from_file(character, names=names, map=map)
    write_clip_files(clip, out, picture, whose, size, None)
    if out.suffix.lower() in (".mp4", ".webm"):
        console.print(f"{out.name} has no sound: add yours to it", markup=False)


def _recorded(
    emotion: str, rate: float | None, fps: float | None, names: str | None, given: dict[str, bool]
) -> Clip | None:
    """The clip or take of that name, None of a description; options that only say how to act have no meaning for it."""
    path = Path(emotion)
    if not (path.suffix and path.is_file()):
        if path.suffix.lower() in (".csv", ".json", ".npz", ".parquet"):
            raise FileNotFoundError(f"no such file: {emotion}")
        return None
    for option, is_given in given.items():
        if is_given:
            raise ValueError(f"expected a description for {option}, got the file {path.name}, which is taken as it is")
    from emo3d_lab.clips.files import read_own
    from emo3d_lab.takes.reading import read_take

    clip = read_own(path) or read_take(path, names=names, fps=fps).to_clip()
    return (clip if rate is None or len(clip) == 1 else clip.resample(rate)).to_weights()


def _acted(emotion: str, track: Clip, model: str, strength: float, seed: int, still: bool) -> Clip:
    if still:
        from emo3d.clips import Clip
        from emo3d_lab.cli.faces import generate_expressions

        expressions, space = generate_expressions(model, emotion, None, 1, seed, strength)
        return Clip.from_frames(expressions, track.rate, space=space, description=emotion).to_weights()
    from emo3d_lab.cli.clips import ClipTask
    from emo3d_lab.clips.loading import is_clip_model
    from emo3d_lab.clips.speech import check_room

    if not is_clip_model(model):
        check_room(emotion, track)
    return ClipTask(emotion, track.duration, track.rate, seed).generate(model, strength).to_weights()
