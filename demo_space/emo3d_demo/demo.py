"""The demo: describe a feeling, see a face, adjust it, measure it, take it with you."""

from __future__ import annotations

import os
from typing import Any

import gradio as gr

from emo3d.scoring import QUICKSTART
from emo3d_demo import bars, compare, explore, judge, panel, player, viewer
from emo3d_demo.adjust import adjust_tab
from emo3d_demo.api import endpoints
from emo3d_demo.blend import blend_tab
from emo3d_demo.character import LARGEST_FILE
from emo3d_demo.clips import clips_tab
from emo3d_demo.compare import compare_tab
from emo3d_demo.describe import describe_tab
from emo3d_demo.emotions import prior
from emo3d_demo.explore import explore_tab
from emo3d_demo.faces import Face
from emo3d_demo.judge import judge_tab
from emo3d_demo.links import parse_link
from emo3d_demo.many import many_tab
from emo3d_demo.panel import Panel
from emo3d_demo.picture import picture_tab
from emo3d_demo.tools import tools
from emo3d_lab.apps import look, score
from emo3d_lab.apps.look import KEPT_SECONDS, shown_as_text
from emo3d_lab.apps.score import score_tab

INTRODUCTION = """# Emo3D
Describe a feeling and see it on a 3D face. Turn it, adjust it, measure it, download it."""

ABOUT = """The *quickstart* generator and the model that reads the pictures are small and were trained on a synthetic
sample: they know situations, emotions, denials and many movements, but not irony or what is only implied. Generators
trained on the published data give *readings* (what MediaPipe reads from a face); these are turned into weights before
they are shown. The faces are made from words and say nothing about how any person feels."""


def build(generator: str = QUICKSTART, study: str | None = None, agreement: bool = False) -> gr.Blocks:
    """The page; `LOOK` goes to its `launch`.

    Args:
        generator: the default one, `"quickstart"`, a folder or an id on the Hub.
        study: folder of the study to judge; None is the packaged one.
        agreement: whether to show what people answered to `study`; of the packaged one it is always shown.
    """
    models = list(dict.fromkeys([generator, QUICKSTART]))
    with gr.Blocks(title="Emo3D", delete_cache=(KEPT_SECONDS, KEPT_SECONDS)) as page:
        gr.Markdown(INTRODUCTION)
        with gr.Tabs() as tabs:
            with gr.Tab("Make", id="make"), gr.Row(elem_id="page"):
                making = gr.Column(elem_id="make")
                with gr.Column(elem_id="shown"):
                    face_panel = Panel()
                with making, gr.Tabs():
                    with gr.Tab("Describe"):
                        describe, inputs, outputs = describe_tab(face_panel, models)
                    with gr.Tab("Adjust") as adjusting:
                        adjust_tab(face_panel, adjusting)
                    with gr.Tab("Picture"):
                        picture_tab(face_panel)
                    with gr.Tab("Blend"):
                        blend_tab(face_panel, models)
                    with gr.Tab("Time"):
                        clips_tab(face_panel, models)
                    with gr.Tab("Many"):
                        many_tab(face_panel, models)
                    with gr.Tab("Compare"):
                        compare_tab(face_panel)
            with gr.Tab("Explore") as exploring:
                choice = explore_tab(exploring, face_panel)
                choice.success(lambda: gr.Tabs(selected="make"), None, tabs, api_visibility="private")
            with gr.Tab("Score"):
                score_tab(face_panel.character)
            with gr.Tab("Judge"):
                judge_tab(study, agreement)
        endpoints(generator)
        tools(page, generator)
        gr.Markdown(ABOUT)

        def reopen(request: gr.Request, description: str, *others: Any) -> list[Any]:
            """The face that the address names, else that of the first example."""
            try:
                link = parse_link(dict(request.query_params))
            except ValueError as error:
                gr.Warning(shown_as_text(error))
                link = None
            if link is None:
                return [gr.skip(), gr.skip(), *describe(description, *others)]
            if link.weights is None:
                return [link.description, link.identity, *describe(link.description, *others[:-2], link.identity, None)]
            face = Face(link.weights, link.identity, link.description)
            return [link.description, link.identity, link.weights[None], 0, gr.skip(), *face_panel.show(face)]

        page.load(
            reopen,
            inputs,
            [inputs[0], face_panel.identity, *outputs],
            api_visibility="private",
            show_progress_on=[face_panel.picture],
        )
    return page


AT_ONCE = 2  # visitors served; a free Space has two cores
MOST_WAITING = 64
LOOK: dict[str, Any] = {
    "theme": look.THEME,
    "css": look.CSS
    + bars.CSS
    + panel.CSS
    + viewer.CSS
    + judge.CSS
    + score.CSS
    + compare.CSS
    + explore.CSS
    + player.CSS,
    "js": f"() => {{({bars.KEYS})(); ({judge.KEYS})()}}",
}


def launch(
    generator: str = os.environ.get("EMO3D_GENERATOR", QUICKSTART),
    study: str | None = os.environ.get("EMO3D_STUDY") or None,
    agreement: bool = os.environ.get("EMO3D_AGREEMENT", "").lower() in ("1", "true"),
    **options: Any,
) -> None:
    """Start the demo.

    Args:
        generator: see `build`; a Space names another one by the variable `EMO3D_GENERATOR`.
        study: see `build`; a Space names one by the variable `EMO3D_STUDY`.
        agreement: see `build`; a Space wants it by the variable `EMO3D_AGREEMENT=1`.
        options: of `gradio.Blocks.launch`.
    """
    prior()  # loads what the first visitor would wait for
    page = build(generator, study, agreement)
    page.queue(max_size=MOST_WAITING, default_concurrency_limit=AT_ONCE)
    page.launch(**LOOK, max_file_size=LARGEST_FILE, mcp_server=True, **options)
