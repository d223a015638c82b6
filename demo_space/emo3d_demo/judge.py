"""The tab where people judge faces, and the tab with their agreement."""

from __future__ import annotations

import os
import time
from functools import lru_cache
from html import escape
from typing import Any

import gradio as gr
import numpy as np
from huggingface_hub import cached_assets_path, constants, get_token

from emo3d.emotions import EMOTIONS, distribution
from emo3d.generation import load_generator
from emo3d.scoring import QUICKSTART, ScoreSettings
from emo3d_demo.bars import bars
from emo3d_demo.faces import fitting_identity
from emo3d_lab.apps.look import in_words
from emo3d_lab.judging import Answer, Answers, Study, make_study, measure_agreement
from emo3d_lab.judging.agreement import PUBLISHED_AGREEMENT
from emo3d_lab.judging.study import Kind
from emo3d_lab.sample import make_rows

ROWS = 40
"""Descriptions of the packaged study: as many references, as many generated faces, as many pairs."""
LONGEST_NAME = 40

KINDS: dict[str, Kind] = {"One face: do the emotions fit?": "fit", "Two faces: which shows it better?": "pair"}
QUESTIONS = {
    "fit": "Do these emotions fit this description and this face?",
    "pair": "Which face shows the description better?",
}
LABELS = {"kl_divergence": "KL divergence", "mse": "MSE"}
BETTER = {"The first": "first", "The second": "second", "Both the same": "same"}

WELCOME = """Help to check the score: read a description, look at a face, and say whether the emotions beside it fit.
You are not told which system made a face. Come back with the same name to continue where you stopped. We store your
answers, the name you choose and how long you took, nothing else. Each face has the age and gender that the description
names."""
THANKS = "**That was the last question. Thank you!** There may be questions of the other kind left."


def judge_tab() -> None:
    """Build both tabs."""
    with gr.Tabs():
        with gr.Tab("Answer"):
            gr.Markdown(WELCOME)
            with gr.Row():
                name = gr.Textbox(label="Your name", placeholder="any name that only you use", max_lines=1, scale=2)
                kind = gr.Radio(list(KINDS), value=next(iter(KINDS)), label="Question", scale=3)
                start = gr.Button("Start", variant="primary", scale=1, min_width=120)
            question, asked_at = gr.State(None), gr.State(0.0)
            progress = gr.Markdown()
            with gr.Column(visible=False) as asking:
                description = gr.HTML()
                with gr.Row():
                    views = [
                        gr.Image(interactive=False, height=340, label=label, buttons=[], alt_text=f"{label} to judge")
                        for label in ("Face", "Second face")
                    ]
                    with gr.Column() as fit:
                        chart = gr.HTML()
                        agree = gr.Button("Agree", variant="primary")
                        with gr.Accordion("Disagree, and correct the emotions", open=False):
                            corrections = [
                                gr.Slider(0, 1, step=0.1, label=emotion.capitalize(), buttons=[])
                                for emotion in EMOTIONS
                            ]
                            disagree = gr.Button("Disagree")
                with gr.Row(visible=False) as pair:
                    choices = [gr.Button(label) for label in BETTER]
        with gr.Tab("Agreement") as agreement:
            report = gr.HTML()

    outputs = [question, asked_at, progress, asking, description, *views, fit, chart, pair, *corrections]

    def ask(name: str, kind: str) -> list[Any]:
        annotator = _check_name(name)
        study = _study()
        short = KINDS[kind]
        answers = _answers().tasks_of(annotator)
        tasks = study.order(annotator, short)
        task = study.next(annotator, short, answers)
        count = len(answers & {entry.id for entry in tasks})
        if task is None:
            unchanged = [gr.skip()] * (len(outputs) - 4)
            return [None, 0.0, gr.Markdown(THANKS), gr.Column(visible=False), *unchanged]
        pictures = study.pictures(task)
        (shares,) = distribution(task.intensities)
        rows = [(emotion, [float(share)]) for emotion, share in zip(EMOTIONS, shares, strict=True)]
        return [
            task.id,
            time.monotonic(),
            gr.Markdown(f"**{QUESTIONS[short]}** Question {count + 1} of {len(tasks)}."),
            gr.Column(visible=True),
            f"<p class='described'>“{escape(task.description)}”</p>",
            gr.Image(pictures[0], label="Face" if len(pictures) == 1 else "First face"),
            gr.Image(pictures[-1], visible=len(pictures) == 2),
            gr.Column(visible=short == "fit"),
            bars("Emotions of the description", rows),
            gr.Row(visible=short == "pair"),
            *(round(float(value), 1) for value in task.intensities),
        ]

    def answer(name: str, kind: str, task: str | None, asked_at: float, **values: Any) -> list[Any]:
        if task is None or task not in _study().tasks:
            raise ValueError("Please start first.")
        seconds = round(time.monotonic() - asked_at, 1)
        _answers().add(Answer(_check_name(name), task, seconds=seconds, **values))
        return ask(name, kind)

    @in_words
    def send_agreement(name: str, kind: str, task: str | None, asked_at: float) -> list[Any]:
        return answer(name, kind, task, asked_at, agrees=True)

    @in_words
    def send_correction(name: str, kind: str, task: str | None, asked_at: float, *values: float) -> list[Any]:
        if not any(values):
            raise ValueError("Please give at least one emotion more than 0.")
        return answer(name, kind, task, asked_at, agrees=False, intensities=[float(value) for value in values])

    @in_words
    def send_preference(name: str, kind: str, task: str | None, asked_at: float, label: str) -> list[Any]:
        return answer(name, kind, task, asked_at, better=BETTER[label])

    state = [name, kind, question, asked_at]
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress_on": [views[0]]}
    gr.on([start.click, name.submit], in_words(ask), [name, kind], outputs, **quiet)
    agree.click(send_agreement, state, outputs, **quiet)
    disagree.click(send_correction, [*state, *corrections], outputs, **quiet)
    for choice in choices:
        choice.click(send_preference, [*state, choice], outputs, **quiet)
    agreement.select(_report, None, report, api_visibility="private")


CSS = """
.described {font-size: 18px; margin: 8px 0; overflow-wrap: anywhere}
.agreement td, .agreement th, .agreement tr {padding: 4px 14px 4px 0 !important; text-align: left; border: 0 !important}
.agreement caption {text-align: left; margin-bottom: 6px}
"""


def _check_name(name: str) -> str:
    if not name.strip() or len(name) > LONGEST_NAME:
        raise ValueError(f"Please choose a name of at most {LONGEST_NAME} characters first.")
    return name.strip()


@lru_cache(maxsize=1)
def _study() -> Study:
    """The packaged study: references of the sample's test split, and the quickstart generator's faces for them."""
    rows = make_rows("test", ROWS, seed=2)
    descriptions = [row.description for row in rows]
    references = {
        "description": descriptions,
        "intensities": [row.intensities for row in rows],
        "blendshapes": [row.blendshapes for row in rows],
    }
    faces = {
        "reference": np.array(references["blendshapes"]),
        QUICKSTART: load_generator(QUICKSTART).generate(descriptions),
    }
    identities = [fitting_identity(description) for description in descriptions]
    return make_study(references, faces, ScoreSettings(backbone=QUICKSTART), identities=identities)


@lru_cache(maxsize=1)
def _answers() -> Answers:
    """The store of answers: a folder, and a dataset on the Hub if `EMO3D_ANSWERS_REPO` names one and there is a token.

    The folder is `EMO3D_ANSWERS`, by default one in the Hub's cache of this user.
    """
    folder = os.environ.get("EMO3D_ANSWERS")
    try:
        path = folder or cached_assets_path("emo3d", namespace="answers")
        return Answers(path, os.environ.get("EMO3D_ANSWERS_REPO") if get_token() else None)
    except OSError as error:
        if error.errno is None:  # of the Hub
            raise
        where = folder or constants.HF_HOME
        raise OSError(f"no answers can be kept in {where} ({error.strerror}): set EMO3D_ANSWERS to a folder") from error


def _report() -> str:
    result = measure_agreement(_answers().latest(), _study())
    if not result.answers:
        return "<p>No answers yet.</p>"
    table = {
        "Agreement with the distributions": ("agreement", result.agreement, f"published: {PUBLISHED_AGREEMENT:.0%}"),
        "Krippendorff's alpha": ("alpha", result.alpha, "1: people agree with each other, 0: as by chance"),
        "Distance of corrections": ("correction", result.correction, "total variation, 0 to 1"),
        **{
            f"Agreement against {LABELS[name]}": (
                f"correlation of {name}",
                value,
                "Spearman; below 0 where people, too, like faces with a lower number better",
            )
            for name, value in result.correlations.items()
        },
        **{
            f"Pairs in which the lower {LABELS[name]} is preferred": (
                f"preference by {name}",
                value,
                "0.5 as by chance",
            )
            for name, value in result.preferences.items()
        },
    }
    lines = []
    for label, (key, value, note) in table.items():
        if value is not None:
            ends = result.intervals.get(key)
            cell = f"{value:.2f}" + (f" [{ends[0]:.2f}, {ends[1]:.2f}]" if ends else "")
            lines.append(f"<tr><th scope='row'>{escape(label)}</th><td>{cell}</td><td>{escape(note)}</td></tr>")
    people = f"{result.answers} answers to {result.tasks} questions; annotators: {result.annotators}"
    return f"<table class='agreement'><caption>{people}; 95% intervals</caption>{''.join(lines)}</table>"
