"""The tab Time: a sentence becomes a clip, which one plays, scrubs, changes by its beats and takes along."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import gradio as gr

from emo3d.loading import workshop_part
from emo3d.ranges import real_number
from emo3d_demo.faces import Face, check_description, file_stem, open_generator
from emo3d_demo.panel import Panel
from emo3d_demo.player import clip_player, player_value
from emo3d_lab.apps.look import EACH, LAST, in_words, own_folder, shown_as_text

if TYPE_CHECKING:
    from emo3d.clips import Beat, Clip

EXAMPLES = (
    "She holds back tears, then breaks into a smile",
    "He listens calmly, suddenly he is terrified",
    "Slowly disgusted, then for a moment amused",
)
SHORTEST, LONGEST = 0.5, 30.0
"""Seconds of a clip."""
LEAST = 0.25  # seconds of a beat
RATE = 30
MOTIONS = ("blinks", "gaze", "head")
DOWNLOADS = {
    ".glb": "Animated GLB",
    ".csv": "Live Link Face CSV",
    ".json": "JSON",
    ".npz": "NumPy",
    ".py": "Blender keyframes",
    ".gif": "GIF",
}

GO = "Show what happens"

_PRESS = """() => { document.getElementById("clip-go").click(); }"""
_BEGIN = """() => {
    setTimeout(() => document.getElementById("clip")?.scrollIntoView({behavior: "smooth", block: "nearest"}), 300);
    const update = values => ({__type__: "update", ...values});
    return [update({value: "Working ...", interactive: false}), update({visible: true})];
}"""


@dataclass(frozen=True, eq=False)
class Scene:
    """A clip on the page, and what it takes to make it again with other beats."""

    clip: Clip
    director: Any
    seed: int
    face: Face  # whose identity or character shows it
    key: str  # of what was asked for; moved beats keep it


def direct(
    text: str, seconds: float | None, seed: float | None, motions: list[str], face: Face, model: str, trusted: str
) -> Scene:
    """Make a clip of a visitor's text.

    Args:
        text: what happens.
        seconds: of the clip; None is as long as the text needs.
        seed: of all that is random in it.
        motions: those of blinks, gaze and head that are added.
        face: of which identity and character are used.
        model: the generator of the stills, see `open_generator`, as is `trusted`.

    Raises:
        ValueError: no text, a long one, or a clip outside `SHORTEST` to `LONGEST`.
    """
    text = check_description(text)
    if seconds is not None:
        _check_seconds(seconds, "")
    seed = check_seed(seed)
    room = workshop_part("clips")
    motion = room.Motion(**{name: name in motions for name in MOTIONS})
    director = room.Director(open_generator(model, trusted), motion=motion)
    texts = room.read_beats(text)
    try:
        beats, duration = room.schedule(texts, seconds)
    except ValueError:
        raise ValueError(
            f"Please give each of the {len(texts)} things that happen at least {LEAST:g} seconds, and all together "
            f"at most {LONGEST:g}: use other seconds, or a shorter text."
        ) from None
    _check_seconds(duration, ": give a number of seconds, or a shorter text")
    clip = _perform(director, beats, seed, duration, text)
    return Scene(clip, director, seed, replace(face, description=text), uuid4().hex)


def _perform(director: Any, beats: Sequence[Beat], seed: int, seconds: float, text: str | None) -> Clip:
    clip: Clip = director.direct(beats, rate=RATE, seed=seed, duration=seconds, description=text)
    return clip


def _check_seconds(seconds: float, advice: str) -> None:
    if not SHORTEST <= seconds <= LONGEST:
        raise ValueError(f"Please use {SHORTEST:g} to {LONGEST:g} seconds, this would be {seconds:,.10g}{advice}.")


def read_seconds(text: str | None) -> float | None:
    """Seconds that a visitor typed; None where there are none."""
    if not text or not text.strip():
        return None
    number = text.strip()
    if re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d*)?", number):  # of thousands; elsewhere a comma may be a decimal point
        number = number.replace(",", "")
    try:
        return real_number("Seconds", float(number))
    except ValueError:
        raise ValueError(f"Please give seconds as a number, as in 4 or 1.5, not {text!r:.40}.") from None


def check_seed(seed: float | None) -> int:
    """A visitor's seed as an integer; none is 0."""
    if not 0 <= (seed or 0) < 2**32:
        raise ValueError(f"Please use a seed from 0 to {2**32 - 1:,}, this is {seed:,.10g}.")
    return int(seed or 0)


def move_beats(scene: Scene, starts: Any) -> Scene:
    """The scene with its beats at other times: each that ended where the next one started does so again.

    Raises:
        ValueError: not a start for each beat, or not in their order within the clip.
    """
    clip, beats = scene.clip, scene.clip.beats
    numbers = isinstance(starts, list) and all(isinstance(start, (int, float)) for start in starts)
    bounds = [beats[0].start, *starts[1:], clip.duration] if numbers else []
    if len(bounds) != len(beats) + 1 or any(b - a < LEAST - 1e-6 for a, b in pairwise(bounds)):
        raise ValueError(f"Please keep the {len(beats)} beats in their order, at least {LEAST:g} s each.")
    following = [*(beat.start for beat in beats[1:]), clip.duration]
    moved = []
    for beat, start, stop, follower in zip(beats, bounds, bounds[1:], following, strict=False):
        meets = abs(beat.end - follower) < 1 / RATE  # else it is one that another interrupts, and keeps its length
        end = stop if meets else min(start + beat.end - beat.start, clip.duration)
        moved.append(replace(beat, start=float(start), end=float(end)))
    return replace(scene, clip=_perform(scene.director, moved, scene.seed, clip.duration, clip.description))


def write_clips(scene: Scene, endings: Iterable[str] = DOWNLOADS) -> dict[str, str]:
    """Write the files that a visitor may download: ending -> path."""
    folder, stem = own_folder(), file_stem(scene.face).replace("face", "clip", 1)
    write_clip, own = workshop_part("clips").write_clip, scene.face.character
    paths = {}
    for ending in endings:
        suffix = Path(own.path).suffix.lower() if own and ending == ".glb" else ending
        character = own.open() if own and ending in (".glb", ".gif") else None
        path = folder / f"{stem}{suffix}"
        write_clip(path, scene.clip, character, identity=scene.face.identity)
        paths[ending] = str(path)
    return paths


def clips_tab(panel: Panel, models: list[str]) -> None:
    """Build the tab; `models` are ids of generators, of which the first one is used."""
    text = gr.Textbox(EXAMPLES[0], label="What happens", placeholder="One thing, then another", lines=2)
    go = gr.Button(GO, variant="primary", elem_id="clip-go")
    player = clip_player("the clip", take=True, visible=False, elem_id="clip")
    with gr.Row(elem_id="clip-files"):
        files = [gr.DownloadButton(label, visible=False, size="sm") for label in DOWNLOADS.values()]
    examples = gr.Examples([[entry] for entry in EXAMPLES], [text], label="Examples")
    with gr.Row():
        seconds = gr.Textbox(label="Seconds", placeholder="as the text needs", max_lines=1, min_width=110)
        seed = gr.Number(0, label="Random seed", precision=0, min_width=110)
    motions = gr.CheckboxGroup([*MOTIONS], value=[*MOTIONS], label="Motion beside the expression")
    state, turn = gr.State(None), gr.State("")  # each turn has files of its own

    def show(scene: Scene, refused: bool = False) -> list[Any]:
        value = player_value(scene.clip, scene.face.rig, scene.key, least=LEAST, refused=refused)
        waiting = [gr.DownloadButton(visible=True, interactive=False) for _ in files]
        return [scene, uuid4().hex, gr.HTML(value, visible=True), *waiting]

    @in_words
    def show_clip(text: str, seconds: str, seed: float, motions: list[str], face: Face, *whose: Any) -> list[Any]:
        face = Face(face.weights, whose[0], text, whose[1])
        scene = direct(text, read_seconds(seconds), seed, motions, face, models[0], models[0])
        return [*show(scene), gr.Button(GO, interactive=True)]

    @in_words
    def move(scene: Scene, event: gr.EventData) -> list[Any]:
        try:
            return show(move_beats(scene, event.starts))
        except ValueError as error:
            gr.Warning(shown_as_text(error))
            return show(scene, refused=True)

    @in_words
    def dress(scene: Scene | None, identity: str, character: Any) -> list[Any]:
        if scene is None:
            return [gr.skip()] * len(shown)
        face = Face(scene.face.weights, identity, scene.face.description, character)
        return show(replace(scene, face=face))

    def write(*endings: str) -> Any:
        @in_words
        def write_some(scene: Scene | None) -> dict[Any, Any]:
            if scene is None:
                return {}
            paths = write_clips(scene, endings)
            suffix = Path(paths[".glb"]).suffix[1:].upper() if ".glb" in paths else ""
            labels = {**DOWNLOADS, ".glb": f"Animated {suffix}"}
            return {
                buttons[key]: gr.DownloadButton(labels[key], value=path, interactive=True)
                for key, path in paths.items()
            }

        return write_some

    @in_words
    def take(scene: Scene, identity: str, character: Any, event: gr.EventData) -> list[Any]:
        place = min(max(int(float(event.time) * RATE), 0), len(scene.clip) - 1)
        face = Face(scene.clip.expressions[place], identity, scene.face.description, character)
        return panel.show(replace(face, description=""))

    buttons = dict(zip(DOWNLOADS, files, strict=True))
    inputs = [text, seconds, seed, motions, panel.face, panel.identity, panel.character]
    shown = [state, turn, player, *files]
    asked = [state, panel.identity, panel.character]
    quiet: dict[str, Any] = {"api_visibility": "private"}
    hidden: dict[str, Any] = {"show_progress": "hidden", **quiet}
    *first, slow = DOWNLOADS  # a GIF takes longer than all others together
    writes = turn.change(write(*first), state, files[:-1], show_progress_on=files[:-1], **LAST, **quiet)
    writes_gif = writes.success(write(slow), state, files[-1:], show_progress_on=files[-1:], **LAST, **quiet)
    whose = [panel.identity.change, panel.character.change]
    gr.on([go.click, player.release, *whose], None, cancels=[writes, writes_gif], **quiet)  # files of the clip before

    text.submit(None, js=_PRESS, **quiet)
    examples.load_input_event.then(None, js=_PRESS, **quiet)
    acts = go.click(None, None, [go, player], js=_BEGIN, **quiet).then(
        show_clip, inputs, [*shown, go], show_progress_on=[player, go], **quiet
    )
    acts.failure(lambda: [gr.Button(GO, interactive=True), uuid4().hex], None, [go, turn], **hidden)
    player.release(move, state, shown, **EACH, **hidden)
    gr.on(whose, dress, asked, shown, show_progress_on=[player], **LAST, **quiet)
    player.select(
        take, [state, panel.identity, panel.character], panel.outputs, show_progress_on=[panel.picture], **EACH, **quiet
    )
