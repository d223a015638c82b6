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
