"""The tab that makes a benchmark entry of predictions or a public model, and proposes it to the model's repository."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import gradio as gr
from huggingface_hub import CommitOperationAdd, HfApi, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

from emo3d.dataset import sample_folder
from emo3d.expressions import SUFFIXES
from emo3d.scoring import QUICKSTART, load_backbone, score
from emo3d.scoring.joining import order_of
from emo3d.scoring.predictions import space_of
from emo3d.scoring.protocols import load_protocol
from emo3d.scoring.references import read_references_file
from emo3d_lab.apps.look import in_words
from emo3d_lab.apps.score import FROM_FILES, model_index
from emo3d_lab.entries import ENTRY_FILE, SPLIT, TASKS, Benchmark, entries_yaml, result_entry
from emo3d_lab.headline import headline
from emo3d_lab.opening import read_predictions_file
from emo3d_lab.visitors import check_id, load_public_generator

TASK = "sample"
UNKNOWN = "NAMESPACE"
NAMESPACE = os.environ.get("SPACE_ID", UNKNOWN).partition("/")[0]  # the Hub sets it in a Space
BENCHMARK = f"{NAMESPACE}/emo3d"
MODEL, FILE = "A public model on the Hub", "A file of predictions"
MOST = 1_000_000
"""Bytes of a repository's file of entries; ours is shorter than 1,000."""

INTRODUCTION = f"""Make an entry for the leaderboard of the benchmark `{BENCHMARK}`, task `{TASK}`: the test split of
the synthetic sample, seen by the quickstart backbone. The headline is **0 to 100, higher is better**: 100 for perfect
retrieval, 0 for the constant prior, linear in the mean KL divergence between them. For the task `pairs`, the published
data: `emo3d evaluate --dataset {BENCHMARK} --config pairs`, at home.

Nothing is published by scoring."""

PUBLISHING = """Opens a **pull request** on the model's repository, with your token, and only when you click. While it
is open, the Hub shows the entry as *community*; the owner of the repository merges or closes it. The token is used
once: it is not stored, logged, or shown again. A [fine-grained one](https://huggingface.co/settings/tokens) for that
repository is enough; revoke it afterwards."""


@in_words
def make_entry(
    source: str = MODEL, model: str = "", predictions: str | None = None, space: str = FROM_FILES
) -> tuple[Any, ...]:
    """Score a public model or a file of predictions on the benchmark's test split, and make its entry.

    Args:
        source: a public model, or a file of predictions.
        model: id of the model on the Hub, whose expressions are generated here or lie in the file.
        predictions: file of 51 blendshape scores per row, one row per row of the test split.
        space: of the predictions, weights or reading; or as the file says, weights where it does not.

    Returns:
        The headline; YAML for `.eval_results/emo3d.yaml`; YAML for a model card; a line for a footnote; the model and
        its entry.
    """
    references = read_references_file(sample_folder() / f"{SPLIT}.parquet")
    if source == MODEL:
        generator = load_public_generator(model)
        expressions, own = generator.generate(references.descriptions), generator.config.space
    else:
        if predictions is None:
            raise ValueError("Please upload predictions first.")
        if model:
            check_id(model, "the model")
        expressions, file_space, keys = read_predictions_file(predictions)
        if (n := len(expressions)) != len(references):
            raise ValueError(f"Expected {len(references)} rows, one for each of the {SPLIT} split, got {n}.")
        rows = order_of(n, keys, references.keys, None)
        expressions = expressions if rows is None else expressions[rows]
        own = space_of(None if space == FROM_FILES else space, file_space, references)  # type: ignore[arg-type]
    settings = replace(load_protocol(TASKS[TASK]).settings, space=own)
    # A backbone that is given keeps no embeddings of what visitors upload.
    result = score(expressions, references, settings=settings, backbone=load_backbone(QUICKSTART))
    number = headline(result, references, read_references_file(sample_folder() / "train.parquet"))
    entry = result_entry(number, result, Benchmark(BENCHMARK, TASK), date=date.today().isoformat())
    text = f"## {number.value:.1f} of 100\n\n{number}, n = {result.n}"
    index = model_index(result, model or "my-model", "Emo3D synthetic sample")
    return text, entries_yaml(entry), index, str(result), (model if source == MODEL else "", entry)


@in_words
def propose(scored: tuple[str, Any] | None, model: str, token: str) -> tuple[str, str]:
    """Open a pull request with an entry on a model's repository.

    Args:
        scored: model and entry, as `make_entry` gives them.
        model: id of the repository; of a model that was generated with, no other.
        token: of the visitor; never that of this process.

    Returns:
        A link to the pull request, and nothing for the field of the token.
    """
    if scored is None:
        raise ValueError("Please score something first.")
    if NAMESPACE == UNKNOWN:
        raise ValueError(
            "Expected a page in a Space, whose namespace is that of the benchmark; this one runs elsewhere."
        )
    token = token.strip()
    if not re.fullmatch("hf_[A-Za-z0-9]+", token):
        raise ValueError("Expected a token of yours, hf_ and then letters (a to z) and digits.")
    id = check_id(model, "the repository of the model")
    if scored[0] and scored[0] != id:
        raise ValueError(f"Expected the repository of what was scored, {scored[0]}, got {id}; score it again.")
    # No error has its cause, whose request holds the token.
    try:
        operation = CommitOperationAdd(ENTRY_FILE, entries_yaml(scored[1], _entries_there(id, token)).encode())
        made = HfApi(token=token).create_commit(id, [operation], commit_message="Emo3D score", create_pr=True)
    except RepositoryNotFoundError:
        raise OSError(f"The Hub has no model {id}, or does not show it to this token.") from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        problems = {401: "does not accept the token", 403: f"does not let this token open pull requests on {id}"}
        raise OSError(f"The Hub {problems.get(status, f'answered {status}')}; nothing was published.") from None
    except ValueError:
        raise
    except Exception:  # one of several kinds, by what the network does
        raise OSError(f"The Hub cannot be reached for {id}; nothing was published.") from None
    if made.pr_url is None:
        raise ValueError(f"{id} has this entry already.")
    return f"[Pull request for {id}]({made.pr_url})", ""


def _entries_there(id: str, token: str) -> bytes:
    """The repository's file of entries, in no cache of this process; empty where the Hub says that there is none."""
    api = HfApi(token=token)
    commit = api.model_info(id).sha  # raises where it is the repository that is missing
    files = api.get_paths_info(id, [ENTRY_FILE], revision=commit)
    if not files:
        return b""
    if (size := getattr(files[0], "size", 0)) > MOST:
        raise ValueError(f"Expected at most {MOST:,} bytes in {ENTRY_FILE} of {id}, got {size:,}.")
    with TemporaryDirectory() as folder:
        return Path(hf_hub_download(id, ENTRY_FILE, revision=commit, token=token, local_dir=folder)).read_bytes()


def submit_tab() -> None:
    """Build the tab; its endpoint is `/entry`, and publishing has none."""
    gr.Markdown(INTRODUCTION)
    scored = gr.State()
    with gr.Row():
        with gr.Column(scale=2, min_width=320):
            source = gr.Radio([MODEL, FILE], value=MODEL, label="What to score")
            model = gr.Textbox(label="Model on the Hub", placeholder="namespace/name", max_lines=1)
            predictions = gr.File(label="Predictions", file_types=list(SUFFIXES), height=120, visible=False)
            space = gr.Radio(
                [FROM_FILES, "weights", "reading"], value=FROM_FILES, label="Space of the predictions", visible=False
            )
            run = gr.Button("Score", variant="primary")
        with gr.Column(scale=3, min_width=320):
            text = gr.Markdown("*The headline and the entry appear here.*", min_height=80)
            with gr.Column(visible=False) as results:
                output: dict[str, Any] = {"interactive": False, "buttons": ["copy"]}
                entry = gr.Textbox(label=ENTRY_FILE, lines=9, **output)
                card = gr.Textbox(label="model-index, for the head of a model card", lines=4, max_lines=4, **output)
                footnote = gr.Textbox(label="Line for a footnote", lines=3, **output)
                gr.Markdown("### Publish")
                gr.Markdown(PUBLISHING)
                token = gr.Textbox(label="Your token", type="password", placeholder="hf_...", max_lines=1)
                publish = gr.Button("Open a pull request")
                link = gr.Markdown()

    def show(choice: str) -> tuple[Any, Any]:
        return gr.File(visible=choice == FILE), gr.Radio(visible=choice == FILE)

    source.change(show, source, [predictions, space], api_visibility="private")
    answer = run.click(
        make_entry,
        [source, model, predictions, space],
        [text, entry, card, footnote, scored],
        api_name="entry",
        show_progress_on=text,
    )
    # An error leaves no old result there.
    answer.success(lambda: gr.Column(visible=True), None, results, api_visibility="private")
    answer.failure(
        lambda: ("*Nothing was scored.*", gr.Column(visible=False), None, ""),
        None,
        [text, results, scored, link],
        api_visibility="private",
    )
    publish.click(propose, [scored, model, token], [link, token], api_visibility="private")
