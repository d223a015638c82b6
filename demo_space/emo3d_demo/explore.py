"""The tab that shows rows of a dataset: photograph beside render, description, and emotion distribution."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from typing import Any

import gradio as gr

from emo3d.blendshapes import Space
from emo3d.emotions import EMOTIONS, distribution
from emo3d.face import IDENTITIES
from emo3d.face.calibration import name_calibration, rig_weights
from emo3d.pictures import encode_picture, open_picture
from emo3d_demo.bars import bars
from emo3d_demo.browse import SAMPLE, Page, Row, open_dataset
from emo3d_demo.faces import LONGEST, Face, portrait
from emo3d_demo.panel import Panel
from emo3d_demo.picture import MOST_PIXELS
from emo3d_lab.apps.look import in_words

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
.rows button {padding: 4px 10px; border-radius: 6px; cursor: pointer; font-size: 13px; font-weight: 500;
  color: var(--button-secondary-text-color); background: var(--button-secondary-background-fill);
  border: 1px solid var(--border-color-primary)}
.rows button:hover {background: var(--button-secondary-background-fill-hover)}
.rows button:focus-visible {outline: 2px solid var(--primary-500); outline-offset: 2px}
"""

_TAKE = """element.addEventListener("click", event => {
    const button = event.target.closest("button[data-face]");
    if (button) trigger("click", {face: Number(button.dataset.face)});
})"""
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
    cards = gr.HTML(js_on_load=_TAKE)
    with gr.Row():
        back = gr.Button("Previous", interactive=False)
        onward = gr.Button("Next", interactive=False)
    current = gr.State(None)
    faces = gr.State([])

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
        ]

    def look(name: str, text: str, *choices: Any) -> list[Any]:
        return show(Query(name.strip(), (text or "").strip(), *choices))  # Gradio gives None before the tab is opened

    @in_words
    def take(faces: list[Face | None], character: Any, event: gr.EventData) -> list[Any]:
        face = dict(enumerate(faces)).get(event.face)
        if face is None or panel is None:
            raise ValueError("Please choose a face first.")
        return [face.identity, *panel.show(replace(face, character=character))]

    inputs = [name, text, emotion, config, split, space]
    outputs = [config, split, status, cards, back, onward, current, faces]
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress_on": [cards]}
    gr.on(
        [search.click, name.submit, text.submit, emotion.input, config.input, split.input],
        look,
        inputs,
        outputs,
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
    if panel is None:
        return None
    return cards.click(take, [faces, panel.character], [panel.identity, *panel.outputs], **quiet)


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
    space = page.space or query.space
    source = "as the files say" if page.space else "as chosen, since the files do not say"
    calibration = f", rendered as weights ({name_calibration(space)})" if space == "reading" else ""
    return (
        f'<p role="status">Searched {where}, found {len(page.rows)}; {more}. '
        f"Blendshapes are <b>{space}</b>, {source}{calibration}.</p>"
    )


def _card(number: int, row: Row, face: Face | None) -> str:
    pictures = _picture(row.picture, "picture", row.place) if row.picture else ""
    if face is not None:
        pictures += _picture(portrait(face, SIDE), "render", row.place)
        label = f"Open the face of row {row.place}"
        take = f'<button type="button" data-face="{number}" aria-label="{label}">Open this face</button>'
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


def _picture(picture: Any, title: str, place: int) -> str:
    """A picture as HTML; a note in place of bytes that are no picture, or too large a one."""
    try:
        if isinstance(picture, bytes):
            picture = open_picture(picture, largest=MOST_PIXELS, longest=SIDE)
        source = encode_picture(picture, SIDE)
        return f'<div title="{title}"><img src="{source}" alt="{title.capitalize()} of row {place}"></div>'
    except (OSError, ValueError):
        return "<div>This picture cannot be shown.</div>"
