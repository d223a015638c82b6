"""The tab that makes entries of the benchmark, against a Hub on loopback: in a browser, and by its functions."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
import yaml
from huggingface_hub import parse_eval_result_entries

from contrast import assert_readable
from emo3d.dataset import sample_folder
from emo3d.generation import ExpressionModel
from emo3d.scoring import score
from emo3d.scoring.protocols import load_protocol
from emo3d.scoring.references import read_references_file
from emo3d_lab.entries import ENTRY_FILE
from emo3d_lab.headline import headline
from hanging import HANGS
from hub import TOKEN, Hub
from serving import METRIC, serving
from text_encoders import save_bert

pytest.importorskip("gradio", reason="needs the extra [demo]")

OTHER = "- dataset:\n    id: you/other\n    task_id: default\n  value: 3\n"


@pytest.fixture(scope="module")
def references():
    return read_references_file(sample_folder() / "test.parquet")


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    """A generator on a small encoder, a private repository, two with an entry of another benchmark, and a large one."""
    folder = tmp_path_factory.mktemp("repositories")
    for name in ("bert", "mine", "empty", "secret", "large", "failing"):
        (folder / name).mkdir()
    save_bert(folder / "bert")
    torch.manual_seed(0)
    model = ExpressionModel.from_encoder(str(folder / "bert"), hidden_sizes=[8])
    model.config.encoder = "me/bert"
    model.save_pretrained(folder / "mine")
    for name in ("empty", "secret"):
        (folder / name / "README.md").write_text("---\nlicense: mit\n---\n")
    for name, text in {"empty": OTHER, "failing": OTHER, "large": "#" * 1_000_001}.items():
        (folder / name / ".eval_results").mkdir()
        (folder / name / ENTRY_FILE).write_text(text)
    with Hub({(f"me/{path.name}", "main"): path for path in folder.iterdir()}) as hub:
        hub._repositories["models", "me/secret"].private = True
        yield hub


@pytest.fixture(scope="module")
def url(hub, tmp_path_factory):
    """A Space beside the benchmark, whose own token no visitor's wish may use."""
    folder = tmp_path_factory.mktemp("space")
    environment = hub.environment(folder / "home") | {"SPACE_ID": "me/emo3d_score", "HF_TOKEN": "hf_of_the_space"}
    with serving(folder, METRIC, **environment) as address:
        yield address
    assert TOKEN not in (folder / "log").read_text()
    written = [path for path in folder.rglob("*") if path.is_file()]
    assert all(TOKEN.encode() not in path.read_bytes() for path in written)


@pytest.fixture(scope="module")
def client(url):
    from gradio_client import Client

    return Client(url, verbose=False)


def write_predictions(path, expressions):
    path.write_text("\n".join(json.dumps({"blendshapes": row.tolist()}) for row in expressions))
    return path


def test_an_entry_of_predictions(client, references, tmp_path):
    """The data's own expressions; by the functions that other tests hold against hand calculations."""
    from gradio_client import handle_file

    path = write_predictions(tmp_path / "p.jsonl", references.expressions)
    text, entry, card, footnote = client.predict(
        "A file of predictions", "", handle_file(str(path)), "weights", api_name="/entry"
    )
    result = score(references.expressions, references, settings=load_protocol("emo3d-2026-quickstart").settings)
    number = headline(result, references, read_references_file(sample_folder() / "train.parquet"))
    (read,) = parse_eval_result_entries(yaml.safe_load(entry))
    assert (read.dataset_id, read.task_id, read.value) == ("me/emo3d", "sample", round(number.value, 2))
    assert text.startswith(f"## {number.value:.1f} of 100")
    assert footnote == str(result)
    assert yaml.safe_load(card)["model-index"][0]["results"][0]["metrics"][0]["value"] == round(result.emo3d, 6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["A public model on the Hub", "me/nothing"], "The Hub has no model me/nothing, or it is not public."),
        (["A public model on the Hub", "me/secret"], "The Hub has no model me/secret, or it is not public."),
        (["A public model on the Hub", "me/bert"], "Expected a generator of type"),
        (["A public model on the Hub", "/etc"], "on the Hub, as in namespace/name."),
        (["A file of predictions", ""], "Please upload predictions first."),
        (["A file of predictions", "", 3], "Expected 250 rows, one for each of the test split, got 3."),
    ],
)
def test_what_cannot_be_scored_is_said_in_a_sentence(client, hub, tmp_path, arguments, message):
    from gradio_client import handle_file

    hub.told.clear()
    if len(arguments) == 3:
        path = write_predictions(tmp_path / "p.jsonl", np.zeros((arguments[2], 51)))
        arguments = [*arguments[:2], handle_file(str(path))]
    with pytest.raises(Exception, match=message):
        client.predict(*arguments, api_name="/entry")
    assert hub.told == []  # neither a visitor's token nor the Space's


def test_publishing_has_no_endpoint(client):
    assert "/entry" in (endpoints := client.view_api(return_format="dict")["named_endpoints"])
    assert not [name for name, about in endpoints.items() if "token" in json.dumps(about)]


PROPOSE = """
import json, sys
from emo3d_lab.apps import submit
from huggingface_hub import EvalResultEntry
entry = EvalResultEntry(dataset_id="me/emo3d", task_id="sample", value=42.0)
answers = []
for scored, model, token in json.loads(sys.argv[1]):
    try:
        answers.append(submit.propose(None if scored is None else (scored, entry), model, token))
    except submit.gr.Error as error:
        answers.append(error.message)
print(json.dumps(answers))
"""


def propose(hub, home, *asked):
    environment = hub.environment(home) | {"SPACE_ID": "me/emo3d_score", "HF_TOKEN": "hf_of_the_space"}
    command = [sys.executable, "-W", "ignore", "-c", PROPOSE, json.dumps(asked)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANGS, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert TOKEN not in done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_pull_request_keeps_the_entries_of_others(hub, tmp_path):
    ((link, token),) = propose(hub, tmp_path, ["", "me/empty", TOKEN])
    repository = hub._repositories["models", "me/empty"]
    assert (link, token) == (f"[Pull request for me/empty]({hub.url}/me/empty/discussions/1)", "")
    main, pull = repository.branches["main"], repository.pulls["refs/pr/1"]
    assert main.files[ENTRY_FILE].path.read_text() == OTHER  # what is shown is the owner's business
    entries = parse_eval_result_entries(yaml.safe_load(pull.files[ENTRY_FILE].path.read_text()))
    assert [(entry.dataset_id, entry.value) for entry in entries] == [("you/other", 3), ("me/emo3d", 42.0)]


def test_what_cannot_be_published_is_said_in_a_sentence(hub, tmp_path):
    """A Hub that fails at the file of entries has not said that there is none."""
    hub.fail("POST /api/models/me/mine/commit", status=403)
    hub.fail("/me/failing/resolve/", status=501, times=50)  # clients ask again after 500
    answers = propose(
        hub,
        tmp_path,
        [None, "me/empty", TOKEN],
        ["", "me/empty", ""],
        ["", "me/empty", "hf_wrong\u0142"],
        ["", "me/empty", "hf_wrong"],
        ["", "me/nothing", TOKEN],
        ["", "me/secret", "hf_wrong"],
        ["", "../secret", TOKEN],
        ["me/mine", "me/empty", TOKEN],
        ["me/mine", "me/mine", TOKEN],
        ["", "me/failing", TOKEN],
        ["", "me/large", TOKEN],
    )
    hub.mend()
    assert answers == [
        "Please score something first.",
        "Expected a token of yours, hf_ and then letters (a to z) and digits.",
        "Expected a token of yours, hf_ and then letters (a to z) and digits.",
        "The Hub does not accept the token; nothing was published.",
        "The Hub has no model me/nothing, or does not show it to this token.",
        "The Hub has no model me/secret, or does not show it to this token.",
        "Expected the repository of the model on the Hub, as in namespace/name.",
        "Expected the repository of what was scored, me/mine, got me/empty; score it again.",
        "The Hub does not let this token open pull requests on me/mine; nothing was published.",
        "The Hub cannot be reached for me/failing; nothing was published.",
        "Expected at most 1,000,000 bytes in .eval_results/emo3d.yaml of me/large, got 1,000,001.",
    ]
    assert not hub._repositories["models", "me/failing"].pulls
    assert not [path for _, path, _ in hub.requests if path.startswith("/me/large/resolve/")]
    assert not hub._repositories["models", "me/mine"].pulls


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_visit(hub, url, visit, tmp_path, width, scheme):
    """From the name of a model to a pull request on it."""
    repository = hub._repositories["models", "me/mine"]
    before = len(repository.pulls)
    page = visit(url, width, scheme)
    page.set_default_timeout(60_000)
    page.get_by_role("tab", name="Submit").click()
    page.get_by_label("Model on the Hub", exact=True).fill("me/mine")
    assert_readable(page)
    page.get_by_role("button", name="Score", exact=True).click()
    assert page.get_by_text("Nothing was scored").count() == 0
    page.get_by_role("heading", name="of 100").wait_for()
    assert "task_id: sample" in page.locator("textarea:visible").first.input_value()
    assert len(repository.pulls) == before  # nothing is published without a click
    page.wait_for_timeout(500)  # the button is no longer pressed
    assert_readable(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    token = page.locator("input[type=password]:visible")
    token.fill(TOKEN)
    page.screenshot(path=tmp_path / f"submit-{width}-{scheme}.png", full_page=True)
    page.get_by_role("button", name="Open a pull request").click()
    page.get_by_role("link", name="Pull request for me/mine").wait_for()
    assert token.input_value() == ""
    assert len(repository.pulls) == before + 1
    (entry,) = yaml.safe_load(repository.pulls[f"refs/pr/{before + 1}"].files[ENTRY_FILE].path.read_text())
    assert entry["dataset"] == {"id": "me/emo3d", "task_id": "sample"}
    assert 0 <= entry["value"] <= 100
