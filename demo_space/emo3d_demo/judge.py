"""The tab where people judge faces, and the tab with what they said."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from functools import lru_cache, partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import gradio as gr
from huggingface_hub import get_token

from emo3d.emotions import EMOTIONS, distribution
from emo3d.face import FaceRig
from emo3d.loading import workshop_part
from emo3d_demo.bars import bars
from emo3d_demo.faces import fitting_identity
from emo3d_demo.player import clip_player, player_value
from emo3d_lab.apps.look import in_words
from emo3d_lab.judging.answers import CONSENT, Answer, Answers, answers_folder

if TYPE_CHECKING:
    from emo3d_lab.judging.answers import Better
    from emo3d_lab.judging.study import Kind, Study, Task

LONGEST_NAME = 40

KINDS: dict[Kind, str] = {"pair": "Two faces: which fits better?", "fit": "One face: do the emotions fit?"}
QUESTIONS: dict[Kind, str] = {
    "pair": "Which face fits the sentence better?",
    "fit": "Do these emotions fit this sentence and this face?",
}
BETTER: dict[str, Better] = {"First face": "first", "Second face": "second", "About the same": "same"}
_OTHER: dict[Better, Better] = {"first": "second", "second": "first", "same": "same"}

WELCOME = """Read a sentence, look at two faces, and say which fits it better. You are not told which system made a
face. Come back with the same name to continue where you stopped."""
DELETION = """All answers under your name are deleted from this server, and count nowhere from then on. The name and the
time of deletion are kept, so that copies of the answers are left out, too. What was published before stays so."""
THANKS = "**That was the last question. Thank you!**"
SAME_PERSON = """<p class='hint'>Judge the expression; the person is always the same and may not be the one described.
</p>"""
KEYS_HINT = "On a keyboard: 1 is the first face, 2 the second, 0 about the same."

KEYS = """() => {
    document.addEventListener("keydown", event => {
        const button = document.getElementById({1: "judge-first", 2: "judge-second", 0: "judge-same"}[event.key]);
        const isTyping = event.target.matches("input:not([type=range]), textarea, select");
        const isCommand = event.repeat || event.ctrlKey || event.altKey || event.metaKey;
        if (button?.checkVisibility() && !isTyping && !isCommand) button.click();
    });
    document.addEventListener("click", event => {  // what was tapped is not lit at the next question
        if (event.detail) event.target.closest("#judging button")?.blur();
    });
}"""

CSS = """
.described {font-size: 20px; margin: 4px 0; overflow-wrap: anywhere; color: var(--body-text-color)}
.hint {margin: 0; color: var(--body-text-color-subdued); font-size: 14px}
.progress {display: flex; gap: 10px; align-items: center; color: var(--body-text-color-subdued); font-size: 14px}
.progress progress {flex: 1; height: 8px; appearance: none; border: 0; border-radius: 4px}
.progress progress, ::-webkit-progress-bar {background: var(--border-color-primary)}
::-webkit-progress-value {background: var(--primary-500)}
::-moz-progress-bar {background: var(--primary-500)}
.agreement td, .agreement th, .agreement tr {padding: 4px 14px 4px 0 !important; text-align: left; border: 0 !important}
.metrics {width: 100%; height: 80vh; border: 1px solid var(--border-color-primary)}
.agreement caption {text-align: left; margin: 10px 0 4px; font-weight: 600}
#judge-faces {flex-wrap: nowrap; gap: 8px}
#judge-faces > * {min-width: 0 !important}
#judge-faces img {width: 100%; aspect-ratio: 1; max-height: 384px; object-fit: contain}
#judge-faces .clip-face {max-width: min(384px, max(36vh, 200px))}  /* the answers stay in sight */
@media (max-width: 600px) {  /* two faces beside each other, without what lies beside the heads */
  #judge-faces {margin: 0 -22px; width: auto !important}
  #judge-faces img, #judge-faces .clip-face {aspect-ratio: 3 / 4; object-fit: cover}
}
"""


def judge_tab(folder: str | None = None, with_agreement: bool = False) -> None:
    """Build the tab with the questions of a study's folder, and where wanted the one with what people answered.

    Args:
        folder: of the study; None is the packaged one, whose answers are always shown.
        with_agreement: whether judges can see the answers, with the names of the systems.
    """
    study_here = workshop_part("studies").open_study(folder) if folder else None
    is_moving = hasattr(study_here, "clips")
    kinds = study_here.kinds if study_here else list(KINDS)
    with gr.Tabs():
        with gr.Tab("Answer"):
            with gr.Column() as beginning:
                gr.Markdown(WELCOME)
                gr.Markdown(escape(study_here.consent if study_here else CONSENT))
                consent = gr.Checkbox(label="I have read this, and agree", value=False)
                with gr.Row():
                    name = gr.Textbox(label="Your name", placeholder="any name that only you use", max_lines=1, scale=2)
                    kind = gr.Radio(
                        [(KINDS[entry], entry) for entry in kinds],
                        value=kinds[0],
                        label="Question",
                        scale=3,
                        visible=len(kinds) > 1,
                    )
                    start = gr.Button("Start", variant="primary", scale=1, min_width=120)
                with gr.Accordion("Delete my answers", open=False):
                    gr.Markdown(DELETION)
                    delete = gr.Button("Delete all answers under this name", variant="stop")
            question, asked_at = gr.State(None), gr.State(0.0)
            message = gr.Markdown(visible=False)
            with gr.Column(visible=False, elem_id="judging") as asking:
                progress = gr.HTML()
                description = gr.HTML()
                with gr.Row(elem_id="judge-faces"):
                    views, choices = [], []
                    for label in ("First face", "Second face"):
                        with gr.Column(min_width=120) as column:
                            alt = f"{label} to judge"
                            image = partial(gr.Image, interactive=False, show_label=False, buttons=[], alt_text=alt)
                            view = clip_player(alt) if is_moving else image()
                            choice = gr.Button(label, elem_id=f"judge-{BETTER[label]}", variant="primary")
                        views.append((column, view))
                        choices.append(choice)
                    with gr.Column(min_width=120) as fit:
                        chart = gr.HTML()
                        agree = gr.Button("Agree", variant="primary")
                        with gr.Accordion("Disagree, and correct the emotions", open=False):
                            corrections = [
                                gr.Slider(0, 1, step=0.1, label=emotion.capitalize(), buttons=[])
                                for emotion in EMOTIONS
                            ]
                            disagree = gr.Button("Disagree")
                with gr.Column() as pair:
                    choices.append(gr.Button("About the same", elem_id="judge-same"))
                    gr.Markdown(KEYS_HINT)
                pause = gr.Button("Stop for now", size="sm")
        if with_agreement or folder is None:
            with gr.Tab("Agreement") as agreement:
                report = gr.HTML()
            agreement.select(in_words(lambda: _report(folder)), None, report, api_visibility="private")

    (_, first), (second_column, second) = views
    outputs = [
        *(question, asked_at, beginning, message, asking, progress, description),
        *(first, second_column, second, *choices, fit, chart, pair, *corrections),
    ]

    def ask(name: str, agreed: bool, kind: Kind) -> list[Any]:
        judge = _check_judge(name, agreed)
        study, answered = _study(folder), _answers(folder).tasks_of(judge)
        tasks = study.order(judge, kind)
        count = len(answered & {task.id for task in tasks})
        task = study.next(judge, kind, answered)
        if task is None:
            left = [KINDS[other] for other in kinds if study.next(judge, other, answered)]
            more = f" Questions of the other kind: *{left[0]}*" if left else ""
            return stop(gr.Markdown(THANKS + more, visible=True), again=bool(left))
        item = study.by_item[task.item]
        views = _views(study, task, folder)
        if study.is_swapped(judge, task):
            views = views[::-1]
        (shares,) = distribution(item.intensities)
        is_pair = kind == "pair"
        is_same = len({shown.identity for shown in study.by_item.values()}) == 1
        return [
            task.id,
            0.0 if is_moving else time.monotonic(),  # clips: from when both are seen
            gr.Column(visible=False),
            gr.Markdown(visible=False),
            gr.Column(visible=True),
            f"<div class='progress'><span>Question {count + 1} of {len(tasks)}</span>"
            f"<progress aria-label='Questions answered' value='{count}' max='{len(tasks)}'></progress></div>",
            f"<div aria-live='polite'><b>{QUESTIONS[kind]}</b>"
            f"<p class='described'>{escape(item.description)}</p>{SAME_PERSON if is_same else ''}</div>",
            views[0] if is_moving else gr.Image(views[0], alt_text=f"{'First face' if is_pair else 'Face'} to judge"),
            gr.Column(visible=is_pair),
            views[-1],
            gr.Button(visible=is_pair, interactive=not is_moving),
            *[gr.Button(interactive=not is_moving)] * 2,
            gr.Column(visible=not is_pair),
            bars("Emotions of the sentence", [(e, [float(s)]) for e, s in zip(EMOTIONS, shares, strict=True)]),
            gr.Column(visible=is_pair),
            *(round(float(value), 1) for value in item.intensities),
        ]

    def stop(words: Any = None, again: bool = True) -> list[Any]:
        unchanged = [gr.skip()] * (len(outputs) - 5)
        return [
            None,
            0.0,
            gr.Column(visible=again),
            words or gr.Markdown(visible=False),
            gr.Column(visible=False),
            *unchanged,
        ]

    def answer(name: str, agreed: bool, kind: Kind, task: str | None, asked_at: float, **values: Any) -> list[Any]:
        if task is None:
            raise ValueError("Please start first.")
        if not asked_at:
            raise ValueError("Please wait until you see both clips.")
        judge, entry = _check_judge(name, agreed), _study(folder).by_task[task]
        swapped = _study(folder).is_swapped(judge, entry)
        if swapped:
            values["better"] = _OTHER[values["better"]]
        seconds = round(time.monotonic() - asked_at, 1)
        _answers(folder).add(Answer(judge, task, seconds=seconds, swapped=swapped, **values))
        return ask(name, agreed, kind)

    def begin(task: str | None, event: gr.EventData) -> list[Any]:
        """Both clips are seen: from now on they may be judged."""
        if task is None or not str(event.key).startswith(f"{task} "):
            return [gr.skip()] * (1 + len(choices))
        return [time.monotonic(), *[gr.Button(interactive=True)] * len(choices)]

    @in_words
    def send_agreement(*state: Any) -> list[Any]:
        return answer(*state, agrees=True)

    @in_words
    def send_correction(name: str, agreed: bool, kind: Kind, task: str | None, at: float, *values: float) -> list[Any]:
        if not any(values):
            raise ValueError("Please give at least one emotion more than 0.")
        intensities = [float(value) for value in values]
        return answer(name, agreed, kind, task, at, agrees=False, intensities=intensities)

    @in_words
    def send_preference(name: str, agreed: bool, kind: Kind, task: str | None, at: float, label: str) -> list[Any]:
        return answer(name, agreed, kind, task, at, better=BETTER[label])

    @in_words
    def withdraw(name: str) -> Any:
        count = _answers(folder).withdraw(_check_name(name))
        return gr.Markdown(f"**Deleted {count} answers.**", visible=True)

    state = [name, consent, kind, question, asked_at]
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    gr.on([start.click, name.submit], in_words(ask), [name, consent, kind], outputs, **quiet)
    agree.click(send_agreement, state, outputs, **quiet)
    disagree.click(send_correction, [*state, *corrections], outputs, **quiet)
    if isinstance(first, gr.HTML) and isinstance(second, gr.HTML):  # players
        gr.on([first.play, second.play], begin, question, [asked_at, *choices], **quiet)
    for choice in choices:
        choice.click(send_preference, [*state, choice], outputs, **quiet)
    pause.click(stop, None, outputs, **quiet)
    delete.click(withdraw, name, message, **quiet)


def _views(study: Study, task: Task, folder: str | None) -> Sequence[Any]:
    """What a task shows in the order of its systems: pictures, or values of players that start together."""
    if not hasattr(study, "clips"):
        return list(study.pictures(task))
    rig, key = FaceRig.from_anny(study.by_item[task.item].identity), f"{task.id} {uuid4().hex}"
    clips = workshop_part("studies").clips_of(study, task, folder)
    return [player_value(clip, rig, key, group="judge", together=len(clips)) for clip in clips]


def _check_name(name: str) -> str:
    if not name.strip() or len(name) > LONGEST_NAME:
        raise ValueError(f"Please choose a name of at most {LONGEST_NAME} characters first.")
    return name.strip()


def _check_judge(name: str, agreed: bool) -> str:
    if agreed is not True:
        raise ValueError("Please read what is stored, and tick the box, first.")
    return _check_name(name)


@lru_cache(maxsize=1)
def _study(folder: str | None) -> Study:
    """A study by its folder; None is the packaged one."""
    studies = workshop_part("studies")
    study: Study = studies.open_study(folder) if folder else studies.packaged_study(fitting_identity)
    return study


@lru_cache(maxsize=1)
def _answers(study: str | None) -> Answers:
    """The store of answers: a folder, and a dataset on the Hub where `EMO3D_ANSWERS_REPO` names one."""
    folder = answers_folder(study)
    try:
        return Answers(folder, os.environ.get("EMO3D_ANSWERS_REPO") if get_token() else None)
    except OSError as error:
        if error.errno is None:  # of the Hub
            raise
        raise OSError(
            f"no answers can be kept in {folder} ({error.strerror}): set EMO3D_ANSWERS to a folder"
        ) from error


def _report(folder: str | None) -> str:
    page: str = workshop_part("studies").agreement_page(
        _study(folder), _answers(folder).latest(), Path(folder) if folder else None
    )
    return page
