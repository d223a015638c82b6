"""Recipes, as `emo3d train` reads them: YAML that people write."""

import copy
from pathlib import Path

import yaml
from attack import _damage_value, damaged


def seeds(folder: Path) -> list[dict[str, bytes]]:
    from emo3d_lab.training.recipe import RECIPES_FOLDER

    return [{"recipe.yaml": (RECIPES_FOLDER / f"{name}.yaml").read_bytes()} for name in ("minilm", "vae-clip")]


def damage(draw, files: dict[str, bytes]) -> dict[str, bytes]:
    from hypothesis import strategies as st

    if draw(st.integers(0, 3)) == 0:
        return damaged(draw, files)
    document = copy.deepcopy(yaml.safe_load(files["recipe.yaml"]))
    for _ in range(draw(st.integers(1, 3))):
        document = _damage_value(draw, document)
    return {"recipe.yaml": yaml.dump(document, allow_unicode=True).encode("utf-8", "surrogatepass")}


def enter(folder: Path) -> None:
    from emo3d_lab.training import load_recipe
    from emo3d_lab.training.train import check_recipe

    check_recipe(load_recipe(folder / "recipe.yaml"))
