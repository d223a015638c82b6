"""Score a file of expressions: the page of the metric Space."""

import os

# The page and its process ask no outside host but for a backbone that is chosen; read on import, so before any.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import gradio as gr
from gradio.utils import get_upload_folder
from pyarrow import csv, parquet
from pyarrow import json as json_lines

from emo3d import BLENDSHAPES, EMOTIONS
from emo3d.dataset import sample_folder
from emo3d.expressions import SUFFIXES, parquet_space, read_expressions
from emo3d.face.calibration import METHODS
from emo3d.face.spaces import DEFAULT_METHOD
from emo3d.scoring import DEFAULT_BACKBONE, QUICKSTART, Emo3DResult, ScoreSettings, read_references, score

BACKBONES = [QUICKSTART, DEFAULT_BACKBONE, "openai/clip-vit-large-patch14", "google/siglip-base-patch16-224"]
SAMPLE, UPLOAD = "The embedded synthetic sample, test split", "A file of mine"
MOST_ROWS = 20_000  # about ten minutes on two cores
KEPT_SECONDS = 3600

INTRODUCTION = """# Emo3D score
Do generated faces show the emotions that were described? Upload 51 blendshape scores per face and see.
**Lower is better**; 0.5 stands for a mean divergence of 0, and no score means much without its signature."""

FORMATS = """**Predictions**: CSV or Parquet with a column for each of the 51 ARKit names (or one column `blendshapes`),
JSONL with one `{name: score}` a line, Live Link Face CSV. **References**: CSV, Parquet or JSONL with `description` and
either `intensities` (eight numbers) or a column for each emotion; with blendshapes too, errors are computed. One row
per prediction, in the same order.

**Space**: *weights* drive a rig (artists, ARKit captures). *Readings* are what MediaPipe says of a face, as in the
published Emo3D: they are calibrated before they are rendered, or, with *none*, rendered raw, as in the publication."""

THEME = gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["monospace"])  # no font from another host
READERS = {".csv": csv.read_csv, ".parquet": parquet.read_table, ".jsonl": json_lines.read_json}
HEADINGS = ["", "value", "95% interval"]
EMOTION_HEADINGS = ["described mostly", "n", "KL divergence", "Emo3D"]


def evaluate_file(
    predictions: str | None,
    source: str,
    uploaded: str | None,
    backbone: str,
    variant: str,
    k: float,
    space: str,
    calibration: str = DEFAULT_METHOD,
) -> tuple[list[list[str]], list[list[Any]], str, str]:
    """Score a file of predictions.

    Returns:
        Rows of the result, rows by emotion, the signature, and a JSON file with everything.
    """
    if predictions is None or (source == UPLOAD and uploaded is None):
        raise gr.Error("Please upload predictions and references first.", print_exception=False)
    try:
        expressions, known = read_expressions(predictions)
        if known not in (None, space):
            raise ValueError(f"expected predictions in the space {space!r}, the file says {known!r}")
        if len(expressions) > MOST_ROWS:
            raise ValueError(f"expected at most {MOST_ROWS:,} rows here, got {len(expressions):,}; run it at home")
        described = Path(uploaded) if source == UPLOAD and uploaded else sample_folder() / "test.parquet"
        said = parquet_space(described) if described.suffix == ".parquet" else None
        references = read_references(read_references_file(described), said)
        settings = ScoreSettings(
            variant=variant,  # type: ignore[arg-type]
            k=int(k),
            backbone=backbone,
            space=space,  # type: ignore[arg-type]
            calibration=calibration,  # type: ignore[arg-type]
        )
        result = score(expressions, references, settings=settings)
    except (ValueError, OSError) as error:  # what is wrong with a file, or a backbone that is not to be had
        raise gr.Error(str(error), print_exception=False) from error
    report = Path(get_upload_folder(), f"emo3d-score-{uuid4().hex}.json")  # not to be guessed by other visitors
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(result.to_dict(per_sample=True), indent=1), encoding="utf-8")
    return *tables(result), result.signature, str(report)


def read_references_file(path: Path) -> dict[str, list[Any]]:
    """Columns `description`, `intensities` and, where the file has them, `blendshapes`."""
    if path.suffix not in READERS:
        raise ValueError(f"expected references as {', '.join(READERS)}, got {path.name}")
    table = READERS[path.suffix](path)
    wanted = ("description", "intensities", "blendshapes", *EMOTIONS, *BLENDSHAPES)
    columns = table.select([name for name in table.column_names if name in wanted]).to_pydict()
    for name, parts in (("intensities", EMOTIONS), ("blendshapes", BLENDSHAPES)):
        if name not in columns and columns.keys() >= set(parts):
            columns[name] = list(zip(*(columns[part] for part in parts), strict=True))
    return columns


def tables(result: Emo3DResult) -> tuple[list[list[str]], list[list[Any]]]:
    """The result as rows of text, and its parts by emotion."""
    names = {
        "emo3d": "Emo3D",
        "kl_divergence": "KL divergence",
        "recall_at_k": "recall@k",
        "mse": "MSE",
        "mae": "MAE",
    }
    rows = [["n", str(result.n), ""]]
    for name, shown in names.items():
        if name in result.intervals:
            low, high = result.intervals[name]
            rows.append([shown, f"{getattr(result, name):.4f}", f"{low:.4f} to {high:.4f}"])
    if result.truncated:
        rows.append(["descriptions truncated", str(result.truncated), ""])
    parts = [
        [emotion, part["n"], round(part["kl_divergence"], 4), round(part["emo3d"], 4)]
        for emotion, part in result.per_emotion.items()
    ]
    return rows, parts


def build() -> gr.Blocks:
    """The page."""
    with gr.Blocks(title="Emo3D score", delete_cache=(KEPT_SECONDS, KEPT_SECONDS)) as page:
        gr.Markdown(INTRODUCTION)
        with gr.Row():
            with gr.Column():
                predictions = gr.File(label="Predictions", file_types=list(SUFFIXES), height=120)
                source = gr.Radio([SAMPLE, UPLOAD], value=SAMPLE, label="References")
                uploaded = gr.File(label="My references", file_types=list(READERS), height=120, visible=False)
                backbone = gr.Dropdown(BACKBONES, value=QUICKSTART, label="Backbone")
                with gr.Row():
                    variant = gr.Radio(["paper", "release"], value="paper", label="Variant")
                    space = gr.Radio(["weights", "reading"], value="weights", label="Space of the predictions")
                calibration = gr.Radio(list(METHODS), value=DEFAULT_METHOD, label="Readings become weights by")
                k = gr.Slider(1, 50, value=10, step=1, label="k, descriptions retrieved per face")
                run = gr.Button("Score", variant="primary")
                gr.Markdown(FORMATS)
            with gr.Column():
                numbers = gr.Dataframe(headers=HEADINGS, label="Result", interactive=False)
                by_emotion = gr.Dataframe(headers=EMOTION_HEADINGS, label="By emotion", interactive=False)
                signature = gr.Textbox(label="Signature", lines=3, interactive=False, buttons=["copy"])
                report = gr.File(label="Everything, as JSON", interactive=False)
        source.change(lambda chosen: gr.File(visible=chosen == UPLOAD), source, uploaded, api_visibility="private")
        run.click(
            evaluate_file,
            [predictions, source, uploaded, backbone, variant, k, space, calibration],
            [numbers, by_emotion, signature, report],
            api_name="score",
        )
    return page


if __name__ == "__main__":
    # On 127.0.0.1, but on a Space, which sets GRADIO_SERVER_NAME.
    build().launch(theme=THEME, max_file_size="200mb")
