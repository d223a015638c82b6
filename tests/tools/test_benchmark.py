"""The benchmark as it is published, read back by the Hub's own client; `hub_benchmarks.py` makes the leaderboard."""

import json
import subprocess
import sys

import pytest
import yaml
from publisher import ROOT, held

from emo3d_lab.entries import BENCHMARK_FILE, ENTRY_FILE, benchmark_yaml
from hanging import HANGS

MODELS = ("quickstart-generator", "quickstart-multilingual-generator")
READ = """
import json
import yaml
from dataclasses import asdict
from huggingface_hub import HfApi, hf_hub_download, parse_eval_result_entries
api, id = HfApi(), "me/emo3d"
found = {"benchmarks": [each.id for each in api.list_datasets(benchmark=True)]}
for name, base_model_only in {"shown": None, "all": False}.items():
    board = api.get_dataset_leaderboard(id, base_model_only=base_model_only)
    found[name] = [[e.rank, e.model_id, e.value, e.filename, e.pull_request, e.author.username] for e in board]
for name in ("quickstart-generator", "quickstart-multilingual-generator"):
    info = api.model_info(f"me/emo3d-{name}", expand=["evalResults"])
    found[name] = [asdict(entry) for entry in info.eval_results]
    with open(hf_hub_download(info.id, ".eval_results/emo3d.yaml")) as file:
        assert parse_eval_result_entries(yaml.safe_load(file)) == info.eval_results
"""
LISTED = "from huggingface_hub import HfApi; found = [each.id for each in HfApi().list_datasets(benchmark=True)]"
OTHERS = """
import yaml
from huggingface_hub import CommitOperationAdd, EvalResultEntry, HfApi, eval_result_entries_to_yaml
api = HfApi()
for name, value, create_pr, card in (
    ("weak", 0, False, ""), ("best", 90.5, False, ""), ("asked", 20, True, ""), ("tuned", 60, False, "me/best")
):
    entry = EvalResultEntry(dataset_id="me/emo3d", task_id="sample", value=value)
    text = yaml.safe_dump(eval_result_entries_to_yaml([entry]))
    id = f"you/{name}"
    api.create_repo(id)
    if card:
        header = f"---\\nbase_model: {card}\\n---\\n".encode()
        api.upload_file(path_or_fileobj=header, path_in_repo="README.md", repo_id=id)
    operation = CommitOperationAdd(".eval_results/emo3d.yaml", text.encode())
    api.create_commit(id, [operation], commit_message="Results", create_pr=create_pr)
"""


def run(hub, home, code):
    command = [sys.executable, "-W", "ignore", "-c", f"found = None\n{code}\nimport json; print(json.dumps(found))"]
    done = subprocess.run(
        command, env=hub.environment(home), capture_output=True, text=True, timeout=HANGS, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def found(published, tmp_path_factory):
    hub, _ = published
    home = tmp_path_factory.mktemp("reader")
    run(hub, home, OTHERS)
    assert run(hub, home, LISTED) == []
    hub.benchmarks.add("me/emo3d")  # what the Hub's people do
    return run(hub, home, READ)


def measured(name):
    (entry,) = yaml.safe_load((ROOT / "model_cards" / f"{name}.yaml").read_text())
    return entry


def test_the_dataset_is_a_benchmark(published, found):
    hub, _ = published
    assert found["benchmarks"] == ["me/emo3d"]
    text = held(hub, "datasets/me/emo3d")[BENCHMARK_FILE].decode()
    assert text == benchmark_yaml(["sample"])  # the published copy has no other config that is scored
    assert BENCHMARK_FILE not in held(hub, "datasets/me/emo3d", "script")


def test_models_have_their_entries(published, found):
    hub, _ = published
    for name in MODELS:
        assert b"NAMESPACE" not in held(hub, f"models/me/emo3d-{name}")[ENTRY_FILE]
        (entry,) = found[name]
        ours = measured(name)
        assert (entry["dataset_id"], entry["task_id"]) == ("me/emo3d", "sample")
        assert (entry["value"], entry["date"], entry["notes"]) == (ours["value"], ours["date"], ours["notes"])
        assert "backbone:quickstart" in entry["notes"]


def test_the_leaderboard_is_in_order(found):
    values = {f"me/emo3d-{name}": measured(name)["value"] for name in MODELS}
    values |= {"you/weak": 0, "you/best": 90.5, "you/asked": 20, "you/tuned": 60}
    ranked = sorted(values, key=lambda id: -values[id])
    pulls = {"you/asked": 1}
    assert found["all"] == [
        [rank, id, values[id], ENTRY_FILE, pulls.get(id), id.split("/")[0]] for rank, id in enumerate(ranked, 1)
    ]


def test_what_stands_on_a_base_model_is_shown_on_request_only(found):
    """The English generator's card names MiniLM as its base; the other's encoder is on no Hub."""
    shown = ["you/best", "me/emo3d-quickstart-multilingual-generator", "you/asked", "you/weak"]
    assert [[rank, id] for rank, id, *_ in found["shown"]] == [list(place) for place in enumerate(shown, 1)]
