"""The tab that scores a file of expressions."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np
import pandas as pd
from huggingface_hub import EvalResult, ModelCardData
from pyarrow import parquet

from emo3d.dataset import sample_folder
from emo3d.emotions import EMOTIONS, distribution
from emo3d.expressions import SUFFIXES
from emo3d.face import render
from emo3d.face.calibration import DEFAULT_METHOD, METHODS, rig_weights
from emo3d.generation import load_generator
from emo3d.loading import workshop_part
from emo3d.pictures import encode_picture
from emo3d.scoring import DEFAULT_BACKBONE, QUICKSTART, Emo3DResult, References, ScoreSettings, load_backbone
from emo3d.scoring.joining import order_of
from emo3d.scoring.predictions import space_of
from emo3d.scoring.references import REFERENCE_SUFFIXES, read_references_file
from emo3d_lab.apps.look import in_words, own_folder
from emo3d_lab.opening import read_predictions_file

if TYPE_CHECKING:
    from emo3d_lab.apps.characters import OwnCharacter

BACKBONES = [QUICKSTART, DEFAULT_BACKBONE, "openai/clip-vit-large-patch14", "google/siglip-base-patch16-224"]
SAMPLE, UPLOAD = "The built-in synthetic sample, test split", "My own file"
FROM_FILES = "as the files say"
MATCHES = [("order", ""), ("description", "description"), ("sample_id", "sample_id")]
MOST_ROWS = 20_000  # about ten minutes on two cores
FACES = 6  # worst, and best

INTRODUCTION = """Do generated faces show the emotions that were described? Upload 51 blendshape scores per face.
**Lower is better**; 0.5 means a mean divergence of 0. Only compare scores with the same signature and references."""

FORMATS = """**Predictions**: CSV or Parquet with a column for each of the 51 ARKit names (or one column `blendshapes`),
JSONL with one `{name: score}` a line, Live Link Face CSV. **References**: CSV, Parquet or JSONL with `description` and
either `intensities` (eight numbers) or a column for each emotion; with blendshapes too, errors are computed. One row
per prediction, in the same order: where both files have a column `description` or `sample_id`, this is checked. Rows in
another order can be matched by one of these columns ("More settings").

**Space**: *weights* drive a rig (artists, ARKit captures). *Readings* are what MediaPipe reads from a
picture of a face, as in the published Emo3D. They are turned into weights (calibrated) before rendering; the method
*none* renders them as they are, as in the publication. Predictions without a space have that of the references, or else
are weights."""

SENTINELS = """Sentinels do not do the task. *Constant prior*: no face, the mean of what is described. *Neutral*: a face
at rest. *Shuffled*: your faces, for other descriptions. *Text-only*: no face, the descriptions most like the one.
*Picture-blind*: the mean of your pictures."""

NUMBERS = {"emo3d": "Emo3D", "kl_divergence": "KL divergence", "recall_at_k": "recall@k", "mse": "MSE", "mae": "MAE"}
NUMBERS["amplitude"] = "amplitude (1 is best)"
HEADINGS = ["", "value", "95% interval"]
BESIDE = ["sentinel", "KL divergence", "against your faces"]
PLOTTED = ["main emotion", "KL divergence"]
GROUP_HEADINGS = ["n", "KL divergence", "95% interval", "Emo3D"]

CSS = """
.faces {display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 12px}
.faces figure {margin: 0; border-radius: 8px; overflow: hidden; background: var(--background-fill-secondary)}
.faces img {display: block; width: 100%; aspect-ratio: 1}
.faces figcaption {padding: 8px 10px; font-size: 13px; line-height: 1.4; color: var(--body-text-color)}
.faces p {margin: 0 0 4px; overflow-wrap: anywhere}
.faces .said {display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 4; overflow: hidden}
.faces small {font-size: 12px}
.gone {display: none !important}
@media (max-width: 760px) {
  .figures .cell-wrap, .figures .cell-wrap * {font-size: 11px !important; padding: 2px !important}
}
"""


@in_words
def score_file(
    predictions: str | None,
    source: str = SAMPLE,
    uploaded: str | None = None,
    backbone: str = QUICKSTART,
    variant: str = "paper",
    k: float = 10,
    space: str = FROM_FILES,
    calibration: str = DEFAULT_METHOD,
    model: str = "my-model",
    join: str = "",
    character: OwnCharacter | None = None,
) -> tuple[Any, ...]:
    """Score a file of generated expressions against what was described.

    Args:
        predictions: file of 51 blendshape scores per row: CSV, Parquet, JSON, JSON lines, NumPy or Live Link Face.
        source: the references, one per prediction: the test split of the embedded sample, or a file.
        uploaded: file of references: CSV, Parquet or JSON lines with description and intensities.
        backbone: dual encoder that reads the pictures of the faces.
        variant: paper, or release as the published code computes it.
        k: descriptions retrieved per face.
        space: of the predictions, weights or reading; or as the files say, weights where none does.
        calibration: how readings become weights.
        model: name of the model, for its card.
        join: description or sample_id, a column by which rows are matched; empty where they are in the same order.
        character: of the visitor's own, which the pictures show; the score is that of our head.

    Returns:
        Rows of the result; sentinels, which do not do the task, and a sentence on which of them are not beaten; KL
        divergence by emotion, to plot; rows by emotion and by intensity; the worst and the best
        faces; the signature; a JSON file with everything, and a YAML file for a model card.
    """
    if predictions is None or (source == UPLOAD and uploaded is None):
        raise ValueError("Please upload predictions and references first.")
    file = Path(uploaded) if source == UPLOAD and uploaded else sample_folder() / "test.parquet"
    try:
        expressions, file_space, keys = read_predictions_file(predictions)
        if (n := len(expressions)) > MOST_ROWS:
            raise ValueError(f"expected at most {MOST_ROWS:,} rows here, got {n:,}; use emo3d score at home")
        references = read_references_file(file)
        rows = order_of(n, keys, references.keys, join or None)
        expressions = expressions if rows is None else expressions[rows]
        space = space_of(None if space == FROM_FILES else space, file_space, references)  # type: ignore[arg-type]
    except ValueError as error:  # what Arrow says of a file names its folder, too
        text = str(error)
        for path in (Path(predictions), file):
            text = text.replace(str(path), path.name)
        raise ValueError(text) from error
    settings = ScoreSettings(
        variant=variant,  # type: ignore[arg-type]
        k=int(k),
        backbone=backbone,
        space=space,
        calibration=calibration,  # type: ignore[arg-type]
    )
    # A backbone that is given keeps no embeddings of what visitors upload.
    part = workshop_part("sentinels")
    result, others = part.score_beside_sentinels(
        expressions, references, settings=settings, backbone=load_backbone(backbone)
    )
    sentinels = part.compare_sentinels(result, others)
    folder = own_folder()
    part.save_beside(folder / "emo3d_result.json", result, sentinels)
    test_set = "Emo3D synthetic sample" if source == SAMPLE else file.stem
    (folder / "model_card_results.yml").write_text(model_index(result, model, test_set), encoding="utf-8")
    order = np.argsort(result.per_sample["kl_divergence"], kind="stable")
    by_emotion = group_table(result.per_emotion)
    return (
        table(result, references),
        [[row.name, f"{row.kl_divergence:.4f}", part.format_p(row.p_value)] for row in sentinels],
        f"These faces are {part.verdict_line(result.kl_divergence, sentinels)}.",
        pd.DataFrame([[row[0], float(row[2])] for row in by_emotion], columns=PLOTTED),
        by_emotion,
        group_table(result.per_band),
        face_cards(order[::-1][:FACES], expressions, references, result, settings, character),
        face_cards(order[:FACES], expressions, references, result, settings, character),
        result.signature,
        [str(path) for path in sorted(folder.iterdir())],
    )


def table(result: Emo3DResult, references: References) -> list[list[str]]:
    """The result as rows of text."""
    rows = [["faces", str(result.n), ""], ["references", result.references, ""]]
    for name, value in result.numbers.items():
        rows.append([NUMBERS[name], f"{value:.4f}", interval(result.intervals.get(name))])
    if references.expressions is not None and result.mse is None:
        rows.append(["MSE, MAE, amplitude", f"none: the references' blendshapes are {references.space}", ""])
    if result.truncated:
        rows.append(["descriptions truncated", str(result.truncated), ""])
    return rows


def group_table(groups: dict[str, dict[str, Any]]) -> list[list[Any]]:
    """Parts of the result as rows."""
    rows = []
    for name, part in groups.items():
        ends = interval(part["intervals"].get("kl_divergence"))
        rows.append([name, part["n"], f"{part['kl_divergence']:.4f}", ends, f"{part['emo3d']:.4f}"])
    return rows


def interval(ends: tuple[float, float] | None) -> str:
    """Both ends of an interval, as text; of few faces there is none."""
    return f"{ends[0]:.3f} to {ends[1]:.3f}" if ends else "–"


def face_cards(
    rows: np.ndarray,
    expressions: np.ndarray,
    references: References,
    result: Emo3DResult,
    settings: ScoreSettings,
    character: OwnCharacter | None = None,
) -> str:
    """Faces with what was described, what they show, and how far that is, as HTML."""
    weights = rig_weights(expressions[rows], settings.space, settings.calibration)
    pictures = render(weights, rig=character.open().rig if character else None)
    cards = []
    for row, picture, expected in zip(rows, pictures, distribution(references.intensities[rows]), strict=True):
        text = escape(references.descriptions[row])
        cards.append(
            f'<figure><img src="{encode_picture(picture)}" alt="Face {row}"><figcaption>'
            f"<p><b>KL {result.per_sample['kl_divergence'][row]:.2f}</b> <small>row {row}</small></p>"
            f'<p class="said" title="{text}">{text}</p><small>described: {leading(expected)}<br>'
            f"shown: {leading(result.per_sample['distribution'][row])}</small></figcaption></figure>"
        )
    return f'<div class="faces">{"".join(cards)}</div>'


def leading(emotions: np.ndarray) -> str:
    """The two strongest emotions of a distribution (8,) float64, as text."""
    strongest = np.argsort(-emotions, kind="stable")[:2]
    return ", ".join(f"{EMOTIONS[index]} {emotions[index]:.0%}" for index in strongest if emotions[index])


def model_index(result: Emo3DResult, model: str, test_set: str) -> str:
    """The result as YAML for the head of a model card."""
    results = [
        EvalResult(
            task_type="text-to-expression",
            task_name="Text to facial expression",
            dataset_type=test_set.lower().replace(" ", "-"),
            dataset_name=test_set,
            dataset_args={"references": result.references, "n": result.n},
            metric_type=name,
            metric_name=NUMBERS[name],
            metric_value=round(value, 6),
            metric_args={
                **({"interval": [round(end, 6) for end in ends]} if (ends := result.intervals.get(name)) else {}),
                "signature": result.signature,
            },
        )
        for name, value in result.numbers.items()
    ]
    return ModelCardData(model_name=model, eval_results=results).to_yaml()


def example() -> tuple[str, str]:
    """Predictions to try: what the quickstart generator makes of the sample's descriptions, and their space."""
    descriptions = parquet.read_table(sample_folder() / "test.parquet", columns=["description"])["description"]
    generator = load_generator(QUICKSTART)
    path = own_folder() / "quickstart.parquet"
    expressions = generator.generate(descriptions.to_pylist())
    pd.DataFrame({"blendshapes": list(expressions)}).to_parquet(path)
    return str(path), generator.config.space


def score_tab(character: gr.State | None = None) -> None:
    """Build the tab; its endpoint is `/score`, and its page needs `CSS`.

    Args:
        character: of an `OwnCharacter` or None, on a page where one can be shown.
    """
    gr.Markdown(INTRODUCTION)
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            predictions = gr.File(label="Predictions", file_types=list(SUFFIXES), height=120)
            try_it = gr.Button("No file at hand? Use faces of the quickstart generator", size="sm")
            source = gr.Radio([SAMPLE, UPLOAD], value=SAMPLE, label="References")
            uploaded = gr.File(label="My references", file_types=list(REFERENCE_SUFFIXES), height=120, visible=False)
            space = gr.Radio([FROM_FILES, "weights", "reading"], value=FROM_FILES, label="Space of the predictions")
            backbone = gr.Dropdown(BACKBONES, value=QUICKSTART, label="Backbone")
            with gr.Accordion("More settings", open=False):
                variant = gr.Radio(["paper", "release"], value="paper", label="Variant")
                calibration = gr.Radio(
                    list(METHODS), value=DEFAULT_METHOD, label="Method that turns readings into weights"
                )
                join = gr.Radio(MATCHES, value="", label="Rows of both files match by")
                k = gr.Slider(1, 50, value=10, step=1, label="k: number of descriptions retrieved per face")
                model = gr.Textbox("my-model", label="Model name for the model card", max_lines=1)
            run = gr.Button("Score", variant="primary")
            with gr.Accordion("What files should look like", open=False):
                gr.Markdown(FORMATS)
        with gr.Column(scale=3, min_width=320):
            nothing = gr.Markdown(
                "*The score and the faces with the best and worst values appear here.*", min_height=160
            )
            with gr.Column(visible=False) as results:
                figures: dict[str, Any] = {"interactive": False, "wrap": True, "elem_classes": ["figures"]}
                numbers = gr.Dataframe(headers=HEADINGS, label="Result", column_widths=["34%", "33%", "33%"], **figures)
                figures["column_widths"] = ["34%", "33%", "33%"]
                beside = gr.Dataframe(headers=BESIDE, label="Beside sentinels", **figures)
                verdict = gr.Markdown()
                gr.Markdown(SENTINELS)
                figures["column_widths"] = ["24%", "10%", "26%", "23%", "17%"]
                with gr.Tabs():
                    with gr.Tab("By emotion"):
                        plot = gr.BarPlot(
                            x=PLOTTED[0],
                            y=PLOTTED[1],
                            y_lim=[0, None],
                            x_label_angle=-35,
                            sort=list(EMOTIONS),
                            height=240,
                            show_label=False,
                        )
                        by_emotion = gr.Dataframe(headers=[PLOTTED[0], *GROUP_HEADINGS], **figures)
                    with gr.Tab("By intensity"):
                        by_band = gr.Dataframe(headers=["strongest intensity", *GROUP_HEADINGS], **figures)
                files = gr.File(
                    label="Files: all results (for emo3d compare), and YAML for a model card", interactive=False
                )
                signature = gr.Textbox(label="Signature", lines=3, interactive=False, buttons=["copy"])
    with gr.Column(visible=False) as faces:
        if character:
            gr.Markdown("The score is that of our head; pictures show your character, where you show one under Make.")
        with gr.Tabs():
            with gr.Tab("Worst faces"):
                worst = gr.HTML()
            with gr.Tab("Best faces"):
                best = gr.HTML()

    source.change(lambda choice: gr.File(visible=choice == UPLOAD), source, uploaded, api_visibility="private")
    try_it.click(example, None, [predictions, space], api_visibility="private")
    answer = run.click(
        score_file,
        [predictions, source, uploaded, backbone, variant, k, space, calibration, model, join]
        + ([character] if character else []),
        [numbers, beside, verdict, plot, by_emotion, by_band, worst, best, signature, files],
        api_name="score",
        show_progress_on=[nothing, numbers],
    )
    # An error leaves no old result there. By a class of its own: a plot that is taken out while it is measured throws.
    full = [gr.Markdown(visible=False), *(gr.Column(visible=True, elem_classes=[]) for _ in range(2))]
    empty = [gr.Markdown(visible=True), *(gr.Column(elem_classes=["gone"]) for _ in range(2))]
    for event, updates in ((answer.success, full), (answer.failure, empty)):
        event(lambda updates=updates: updates, None, [nothing, results, faces], api_visibility="private")
