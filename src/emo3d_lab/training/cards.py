"""Cards of models: from one template, what they were trained by, and what was measured."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from emo3d.encoders import MINILM
from emo3d_lab.building.card import citation
from emo3d_lab.markup import markdown_code
from emo3d_lab.pages import CARD_TAGS, render_card
from emo3d_lab.training.evaluate import Evaluation
from emo3d_lab.training.leaderboard import rank, to_markdown
from emo3d_lab.training.model_index import update_card
from emo3d_lab.training.recipe import MODELS, RECIPES, RECIPES_FOLDER, Recipe, load_recipe

ASSETS = RECIPES_FOLDER.parent
PARTS = ("quickstart-backbone", "quickstart-generator")
"""What the package carries, by the names of the folders in its assets."""


def write_card(
    recipe: str | os.PathLike[str],
    path: str | os.PathLike[str],
    *,
    evaluations: Sequence[Evaluation] = (),
    picture: str | None = None,
    audit: str | None = None,
) -> None:
    """Write the card of a model.

    Args:
        recipe: one of `RECIPES`, or a YAML file, such as the `recipe.yaml` that training writes beside the model; or
            one of `PARTS`, with the figures that were measured when the package's part was trained.
        path: of the card. A README.md is that of the folder it lies in, with weights where the folder has them.
        evaluations: of the model; they go into the text and into the header's `model-index`.
        picture: of generated faces, as a link from the card; by default a picture beside the card, called as it is,
            for the packaged recipes and parts.
        audit: for whom its score holds, as `emo3d_lab.audit.card_section` says it.

    Raises:
        ValueError: no such recipe; see `load_recipe`.
    """
    path = Path(path)
    name = path.absolute().parent.name if path.name == "README.md" else path.stem
    evaluations = [replace(evaluation, model=name) for evaluation in evaluations]  # for it can be a path
    if recipe in PARTS:
        text = _part_card(str(recipe), picture, audit)
    else:
        text = _trained_card(recipe, name, (path.parent / "model.safetensors").is_file(), evaluations, picture, audit)
    path.write_text(text, encoding="utf-8")
    for evaluation in evaluations:
        update_card(path, evaluation)


def _trained_card(
    recipe: str | os.PathLike[str],
    name: str,
    has_weights: bool,
    evaluations: Sequence[Evaluation],
    picture: str | None,
    audit: str | None,
) -> str:
    loaded = load_recipe(recipe)
    kind = loaded.model.get("type", "expression")
    model: Any = MODELS[kind].config_class(**{field: value for field, value in loaded.model.items() if field != "type"})
    base = model.encoder if kind == "expression" else model.backbone
    facts = _facts(loaded)
    return render_card(
        "model_card.md.jinja",
        base_model=base,
        header={"license": facts.get("license")},
        title=facts.get("title") or Path(base).name,
        name=name,
        kind=kind,
        input="description" if kind == "expression" else "description or picture",
        model=model,
        data=loaded.data,
        has_weights=has_weights,
        recipe=recipe,
        recipe_text=(RECIPES_FOLDER / f"{recipe}.yaml" if recipe in RECIPES else Path(recipe)).read_text("utf-8"),
        facts=facts,
        limit=facts.get("limits"),
        tables=[
            {"dataset": _dataset(table.entries[0]), "markdown": to_markdown([table]).strip()}
            for table in (rank(evaluations, group=True) if evaluations else [])
        ],
        picture=picture,
        caption=facts.get("sample") if not has_weights else None,
        audit=audit,
        citation=citation(),
    )


def _part_card(part: str, picture: str | None, audit: str | None) -> str:
    """The card of a packaged part, with the figures that were measured when it was trained."""
    trained = json.loads((ASSETS / part / "config.json").read_text(encoding="utf-8"))["trained"]
    header: dict[str, Any] = {"license": "apache-2.0", "tags": [*CARD_TAGS, "synthetic"]}
    if part == "quickstart-backbone":
        header |= {"library_name": None, "tags": ["emo3d", "facial-expression", "contrastive", "synthetic"]}
    return render_card(
        f"cards/{part}.md.jinja",
        base_model=MINILM,
        header=header,
        rows=trained["test_rows"],
        quality=trained["test_quality"],
        name=part,
        picture=picture,
        audit=audit,
        citation=citation(),
    )


def _facts(recipe: Recipe) -> dict[str, Any]:
    """What is known of the published baseline that has this recipe's encoder and kind of head; nothing of others."""
    known = yaml.safe_load((ASSETS / "model_cards.yaml").read_text(encoding="utf-8"))
    for name, facts in known.items():
        baseline = load_recipe(name).model
        if all(baseline.get(field) == recipe.model.get(field) for field in ("type", "encoder", "backbone")):
            return facts
    return {}


def _dataset(evaluation: Evaluation) -> str:
    named = [evaluation.dataset and Path(evaluation.dataset).name, evaluation.config, evaluation.split]
    names = ", ".join(markdown_code(name) for name in named if name)
    return names or f"references {markdown_code(evaluation.result.references)}"
