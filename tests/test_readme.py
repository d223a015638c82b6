"""The README's Python, run as it stands, one block after the other in one place."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


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
        "small BERT from scratch": "bert",
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
    run = table("README.md", "expressions | n")  # n, MSE, KL, Emo3D, recall
    generator, backbone = (
        table(f"model_cards/quickstart-{part}.md", "expressions") for part in ("generator", "backbone")
    )
    for name, on_card in (
        ("reference expressions", "reference expressions"),
        ("quickstart generator", "this model"),
    ):
        _, mse, kl, _, recall = run[name]
        assert [float(x) for x in generator[on_card][0]] == [float(x) for x in mse]
        assert generator[on_card][1] == kl
        seen = backbone["quickstart generator" if on_card == "this model" else on_card]
        assert seen[0] == kl
        assert generator[on_card][2] == seen[1] == recall


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
