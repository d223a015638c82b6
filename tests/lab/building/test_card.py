"""Cards of built folders: what `datasets` makes of their header, and what people read."""

from collections import Counter

import pandas as pd
import pytest
from datasets import load_dataset
from datasets.exceptions import DatasetsError
from huggingface_hub import DatasetCard
from markdown_it import MarkdownIt

from emo3d.dataset.builder import Emo3D
from emo3d.dataset.tally import Problem, Tally
from emo3d_lab.building.card import citation, folder_card, release_card
from emo3d_lab.building.shards import ShardFile, write_dataset
from emo3d_lab.sample.mock import write_release


def shard(config="pairs", split="train", rows=3, **counts):
    path = f"data/{config}/{split}-00000-of-00001.parquet"
    return ShardFile(config, split, path, rows, 99, "ab", Tally(counts=Counter(counts)))


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    return write_release(tmp_path_factory.mktemp("release") / "emo3d", rows=40, primitive=10) / "data"


def build(release, out, configs, card):
    of = [Emo3D(config_name=config, data_dir=str(release), shard_size=40_000) for config in configs]
    shards = [shard for builder in of for shard in builder.shards()]
    return write_dataset(out, shards, source={}, finish=lambda files: {"README.md": card(files)})


def test_a_built_folder_loads_as_its_card_says(release, tmp_path):
    build(release, tmp_path / "out", ["default", "pairs", "primitive"], release_card)
    loaded = {config: load_dataset(str(tmp_path / "out"), config) for config in ("default", "pairs", "primitive")}
    tables = {"train": "train_data.csv", "validation": "val_data.csv", "test": "test_data.csv"}
    pictures = {split: pd.read_csv(release / name).filter(like="img_").count().sum() for split, name in tables.items()}
    assert {split: len(rows) for split, rows in loaded["default"].items()} == pictures
    assert list(loaded["pairs"]) == list(tables)
    assert list(loaded["primitive"]) == ["train"]
    assert load_dataset(str(tmp_path / "out"), split="test").num_rows == pictures["test"]  # `default` is the default
    assert loaded["default"]["train"].info.splits["train"].num_examples == pictures["train"]


def test_a_missing_file_is_noticed(release, tmp_path):
    build(release, tmp_path / "out", ["pairs"], release_card)
    first, *others = sorted((tmp_path / "out" / "data" / "pairs").glob("train-*"))
    assert others
    first.unlink()
    with pytest.raises(DatasetsError):  # the header's num_examples
        load_dataset(str(tmp_path / "out"), split="train")


def test_header_of_a_build():
    files = [shard("default", rows=60_000), shard("default", "test", 5, without_face=2), shard("pairs", rows=150_000)]
    card = DatasetCard(release_card(files))
    assert card.data.license == "mit"
    assert card.data.size_categories == ["100K<n<1M"]
    assert [config["config_name"] for config in card.data.configs] == ["default", "pairs"]
    assert card.data.configs[0]["data_files"][1] == {"split": "test", "path": "data/default/test-*.parquet"}
    assert "| `default` | test | 5 | 2 | 0 |" in card.text
    assert "| `pairs` | train | 150,000 | 0 | 0 |" in card.text
    with_sample = DatasetCard(release_card([*files, shard("sample")]))
    assert with_sample.data.license == ["mit", "apache-2.0"]


def test_body_of_a_build_stands_alone():
    """Nothing in it leads out of the folder, and it is the artifact's otherwise."""
    text = release_card([shard()])
    assert "](../" not in text
    assert "![" not in text
    assert "docs/neighbours.md" in text
    for heading in ("This build", "Composition", "Readings are not weights", "Biases", "Citation"):
        assert f"\n## {heading}\n" in text
    assert text == release_card([shard()])


def test_card_of_an_extracted_folder():
    file = shard("default", without_face=1)
    file.tally.problems += [
        Problem("picture", "a.jpg", None, "", "broken", 1),
        Problem("table", "m.csv", 3, "", "?", 2),
    ]
    text = "Read by MediaPipe: these are **readings**."
    card = DatasetCard(folder_card([file], title="My: faces", text=text))
    assert card.data.pretty_name == "My: faces"
    assert card.data.configs[0]["default"] is True
    assert card.data.dataset_info[0]["splits"] == [{"name": "train", "num_bytes": 99, "num_examples": 3}]
    assert text in card.text
    assert "| `default` | train | 3 | 1 | 3 |" in card.text


@pytest.mark.parametrize("card", [release_card, lambda files: folder_card(files, title="x", text="y")])
def test_no_files(card):
    with pytest.raises(ValueError, match="at least one file"):
        card([])


def test_citation():
    """As https://aclanthology.org/2025.findings-naacl.173/ has it."""
    assert "pages     = {3158--3172}" in citation()
    assert citation().startswith("@inproceedings{")


def test_a_name_that_means_harm_is_text():
    """A folder's name is a title; the table and the header belong to the card."""
    name = "Faces](http://e.org) <script>x</script> | `a` ![](http://e.org/x.png)\n---\nlicense: mit"
    file = ShardFile("de`fault|", "train|x", "data/default/train-00000-of-00001.parquet", 3, 99, "ab", Tally())
    card = folder_card([file], title=name, text="Ours.", schemas={"de`fault|": "default"})
    parsed = DatasetCard(card)
    assert parsed.data.pretty_name == name
    assert parsed.data.license is None
    html = MarkdownIt("gfm-like", {"linkify": False}).render(parsed.text)
    assert "<a " not in html
    assert "<img" not in html
    assert "<script" not in html
    assert html.count("<h1>") == 1
    assert html.count("<td") == 5
