"""Cards of models: from one template, what they were trained by, and what was measured."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult, ModelCard

from emo3d.encoders import MINILM
from emo3d.generation import TASK
from emo3d.multilingual import MULTILINGUAL
from emo3d_lab.building.card import citation
from emo3d_lab.markup import markdown_code
from emo3d_lab.pages import CARD_TAGS, render_card
from emo3d_lab.sample.languages import LANGUAGES
from emo3d_lab.training.evaluate import Evaluation
from emo3d_lab.training.leaderboard import rank, to_markdown
from emo3d_lab.training.recipe import RECIPES, RECIPES_FOLDER, Recipe, load_recipe

PARTS = ("quickstart-backbone", "quickstart-generator", "quickstart-multilingual-generator")
"""Models in the package, by the names of their folders in its assets."""

_METRICS = {
    "emo3d": "Emo3D (lower is better)",
    "kl_divergence": "mean KL divergence in nats (lower is better)",
    "recall_at_k": "recall@{k}",
    "mse": "mean squared error of the expressions",
    "mae": "mean absolute error of the expressions",
    "amplitude": "median amplitude of the expressions on that of the references (1 is best)",
}


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
        picture: of generated faces, as a link from the card.
        audit: for whom its score holds, see `emo3d_lab.audit.card_section`.

    Raises:
        ValueError: no such recipe; see `load_recipe`.
    """
    path = Path(path)
    name = path.absolute().parent.name if path.name == "README.md" else path.stem
    evaluations = [replace(evaluation, model=name) for evaluation in evaluations]  # in place of a path
    extras = {"name": name, "picture": picture, "audit": audit, "citation": citation()}
    if recipe in PARTS:
        text = _part_card(str(recipe), extras)
    else:
        text = _trained_card(recipe, evaluations, (path.parent / "model.safetensors").is_file(), extras)
    path.write_text(text, encoding="utf-8")
    if recipe not in PARTS and not (path.parent / "model.safetensors").is_file():  # weights here are not the authors'
        _put(path, _reported(_facts(load_recipe(recipe)).get("published", {})))
    for evaluation in evaluations:
        update_card(path, evaluation)


def _trained_card(
    recipe: str | os.PathLike[str], evaluations: Sequence[Evaluation], has_weights: bool, extras: dict[str, Any]
) -> str:
    settings = load_recipe(recipe)
    kind, model = settings.kind, settings.configuration()
    base = model.encoder if kind in ("expression", "clip-model") else model.backbone
    facts = _facts(settings)
    return render_card(
        "cards/clip-model.md.jinja" if kind == "clip-model" else "model_card.md.jinja",
        base_model=base,
        header={"license": facts.get("license")},
        title=facts.get("title") or Path(base).name,
        kind=kind,
        input="description" if kind == "expression" else "description or picture",
        model=model,
        data=settings.data,
        has_weights=has_weights,
        recipe=recipe,
        recipe_text=(RECIPES_FOLDER / f"{recipe}.yaml" if recipe in RECIPES else Path(recipe)).read_text("utf-8"),
        facts=facts,
        limit=facts.get("limits"),
        tables=[
            {"dataset": _dataset(table.entries[0]), "markdown": to_markdown([table]).strip()}
            for table in (rank(evaluations, group=True) if evaluations else [])
        ],
        caption=facts.get("sample") if not has_weights else None,
        **extras,
    )


def _part_card(part: str, extras: dict[str, Any]) -> str:
    config = resources.files("emo3d") / "assets" / part / "config.json"
    training = json.loads(config.read_text(encoding="utf-8"))["trained"]
    header: dict[str, Any] = {"license": "apache-2.0", "tags": [*CARD_TAGS, "synthetic"]}
    if part == "quickstart-backbone":
        header |= {"library_name": None, "tags": ["emo3d", "facial-expression", "contrastive", "synthetic"]}
    measured = {"rows": training["test_rows"], "quality": training["test_quality"]}
    encoder = MINILM
    if "multilingual" in part:
        encoder, header["language"] = MULTILINGUAL, sorted({language[:2] for language in LANGUAGES})
    return render_card(f"cards/{part}.md.jinja", base_model=encoder, header=header, **measured, **extras)


def converted_card(model: Any, kind: str, checkpoint: Path, name: str) -> str:
    """The card of a model that was converted from a published checkpoint; `kind` is "clip" or "vae-clip"."""
    return render_card(
        "converted_card.md.jinja",
        base_model=model.config.backbone,
        header={"license": "mit"},
        title=name,
        name=name,
        input="description or picture",
        class_name=type(model).__name__,
        kind=kind,
        picture=None,
        audit=None,
        limit=None,
        shapes={key: " x ".join(map(str, tensor.shape)) for key, tensor in model.state_dict().items()},
        source=checkpoint.name,
        digest=hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        citation=citation(),
    )


def _facts(recipe: Recipe) -> dict[str, Any]:
    """What is published of the baseline with this recipe's encoder and kind of head; nothing for other recipes."""
    baselines = yaml.safe_load((RECIPES_FOLDER.parent / "model_cards.yaml").read_text(encoding="utf-8"))
    for name, facts in baselines.items():
        baseline = load_recipe(name).model
        if all(baseline.get(field) == recipe.model.get(field) for field in ("type", "encoder", "backbone")):
            return facts
    return {}


def _dataset(evaluation: Evaluation) -> str:
    parts = [evaluation.dataset and Path(evaluation.dataset).name, evaluation.config, evaluation.split]
    names = ", ".join(markdown_code(part) for part in parts if part)
    return names or f"references {markdown_code(evaluation.result.references)}"


def update_card(path: str | os.PathLike[str], evaluation: Evaluation) -> None:
    """Put an evaluation into a card's `model-index`, which the Hub shows; the rest of the card stays as it is.

    Figures of the same dataset, config and split under the same signature are replaced, all others stay.

    Raises:
        FileNotFoundError: no such card.
        ValueError: its header is not that of a model card.
    """
    _put(Path(path), _entries(evaluation))


def _put(path: Path, entries: Sequence[EvalResult]) -> None:
    """Put entries into a card's `model-index`, in place of those of the same key."""
    if not entries:
        return
    try:
        card = ModelCard(path.read_bytes().decode("utf-8-sig"))  # in bytes, for line ends as they are
    except OSError:
        raise
    except Exception as error:  # whatever a header of other types than a card's comes to in huggingface_hub
        raise ValueError(f"expected a model card, {path} is none: {' '.join(str(error).split())}") from error
    data: Any = card.data
    data.model_name = data.model_name or (path.absolute().parent.name if path.name == "README.md" else path.stem)
    keys = [_key(entry) for entry in entries]
    data.eval_results = [entry for entry in data.eval_results or [] if _key(entry) not in keys] + list(entries)
    card.save(path)


def _reported(published: Mapping[str, float]) -> list[EvalResult]:
    """What the authors report of a baseline; the settings of their score are not known, so there is no headline."""
    return [
        EvalResult(
            task_type=TASK,
            dataset_type="llm-lab/Emo3D",
            dataset_name="Emo3D",
            metric_type=name.lower(),
            metric_name=f"{name}, reported by its authors for their own weights (lower is better)",
            metric_value=value,
            source_name="Dehghani et al. 2025",
            source_url="https://arxiv.org/abs/2410.02049",
        )
        for name, value in published.items()
    ]


def _entries(evaluation: Evaluation) -> list[EvalResult]:
    result = evaluation.result
    dataset = evaluation.dataset or f"references {result.references}"
    if Path(dataset).exists():  # the card goes where this folder is not
        dataset = Path(dataset).name
    entries = []
    for name, title in _METRICS.items():
        value = getattr(result, name)
        if value is None:
            continue
        args: dict[str, Any] = {"n": result.n, "signature": result.signature}
        if name in result.intervals:
            args = {"interval": [round(end, 6) for end in result.intervals[name]], **args}
        if evaluation.date:
            args["date"] = evaluation.date
        entries.append(
            EvalResult(
                task_type=TASK,
                dataset_type=dataset,
                dataset_name="synthetic sample of emo3d" if dataset == "sample" else dataset,
                dataset_config=evaluation.config,
                dataset_split=evaluation.split,
                metric_type=name,
                metric_name=title.format(k=evaluation.settings.get("k", "k")),
                metric_value=round(value, 6),
                metric_args=args,
            )
        )
    return entries


def _key(entry: EvalResult) -> tuple[Any, ...]:
    """Identifies a measurement: figures of the same key replace each other."""
    args: Any = entry.metric_args  # of any type in the cards of others
    signature = args.get("signature") if isinstance(args, dict) else None
    return (*entry.unique_identifier, entry.metric_type, signature)
