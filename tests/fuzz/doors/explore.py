"""A dataset's Parquet files and card, as a visitor of the tab Explore names them."""

import io
from pathlib import Path

import yaml
from hypothesis import strategies as st

_NAMES = ["data/train-0.parquet", "data/test-0.parquet"]


def seeds(folder: Path) -> list[dict[str, bytes]]:
    import pyarrow as pa
    from pyarrow import parquet

    row = {"description": "so sad", "intensities": [0.5] * 8, "blendshapes": [0.1] * 51, "image": {"bytes": b"x"}}
    release = {"text_1": "so sad", "descriptions": ["a", "b"], "blenshape_score_1": [0.1] * 52, "anger": 0.5}
    card = {"configs": [{"config_name": "a", "default": True, "data_files": [{"split": "train", "path": "data/t*"}]}]}
    files = []
    for cells in (row, release):
        table = io.BytesIO()
        parquet.write_table(pa.Table.from_pylist([cells] * 3).replace_schema_metadata({"space": "weights"}), table)
        files.append(dict.fromkeys(_NAMES, table.getvalue()) | {"card.yaml": yaml.dump(card).encode()})
    return files


def damage(draw: st.DrawFn, files: dict[str, bytes]) -> dict[str, bytes]:
    from attack import _damage_value, damaged

    if draw(st.integers(0, 2)):
        return damaged(draw, files)
    document = _damage_value(draw, yaml.safe_load(files["card.yaml"]))
    return files | {"card.yaml": yaml.dump(document).encode("utf-8", "surrogatepass")}


def enter(folder: Path) -> None:
    from emo3d_demo.browse import Dataset, _by_card, _by_name

    names = [name for name in _NAMES if (folder / name).exists()]
    try:
        card = yaml.safe_load((folder / "card.yaml").read_bytes())
    except (OSError, ValueError, yaml.YAMLError):  # the Hub's to refuse
        card = None
    files = _by_card(names, card if isinstance(card, dict) else {}) or _by_name(names)
    dataset = Dataset(files, lambda name: (folder / name).open("rb"))
    for config, splits in files.items():
        for split in splits:
            dataset.look(config, split)
            dataset.look(config, split, 1, "SAD", "anger")
