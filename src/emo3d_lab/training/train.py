"""Train a generator on `transformers.Trainer`, by a recipe."""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch.nn.functional import mse_loss
from torch.utils.data import Dataset
from transformers import (
    DataCollatorWithPadding,
    EarlyStoppingCallback,
    EvalPrediction,
    PreTrainedModel,
    Trainer,
    TrainingArguments,
    default_data_collator,
    set_seed,
)
from transformers.integrations import get_reporting_integration_callbacks
from transformers.trainer_pt_utils import LengthGroupedSampler

from emo3d.blendshapes import Space, check_space
from emo3d.dataset import open_rows
from emo3d.dataset.release import is_release
from emo3d.encoders import load_text_encoder
from emo3d.files import check_output_folder
from emo3d.generation import ExpressionModel
from emo3d.multilingual import load_encoder
from emo3d.scoring import Emo3DScorer, ScoreSettings, read_references
from emo3d_lab.generators import ClipModel, VaeClipModel
from emo3d_lab.training.clips import ClipCollator, fit_spread, prepare_clips, read_clips, space_of
from emo3d_lab.training.data import Pairs, prepare, read_pairs
from emo3d_lab.training.recipe import MODELS, Recipe, load_recipe

logger = logging.getLogger(__name__)
T = TypeVar("T")

RECIPE = "recipe.yaml"
"""Name of the recipe's file beside a model."""


@dataclass(frozen=True)
class Trained:
    """The result of training.

    Attributes:
        model: the best one by validation loss, in evaluation mode. That loss is the mean squared error of what users
            get, from descriptions unless it learns from pictures only: for a `VaeClipModel`, of the expression decoded
            from an embedding, neither that of the autoencoder nor the sum of the terms.
        metrics: of the validation split, by the names that `Trainer.evaluate` gives them.
        truncated: how many distinct descriptions of each split lost their end, being longer than the encoder's window.
    """

    model: PreTrainedModel
    metrics: dict[str, float]
    truncated: int


def train(
    recipe: Recipe, dataset: str, output: str | os.PathLike[str], *, config: str | None = None, resume: bool = False
) -> Trained:
    """Train a generator and write it to a folder: the model, its tokenizer where its encoder learned, and the recipe.

    A frozen encoder embeds every description once, see `cached_embeddings`. The same recipe and dataset give the same
    weights on the same machine, also where training was killed and resumed.

    Args:
        recipe: from `load_recipe`.
        dataset: `"sample"`, a folder or Parquet file, or an id on the Hub, with the columns that `read_pairs` reads:
            `description` or `descriptions`, `blendshapes`, `image` to learn from pictures, and `intensities` for the
            score; or, for a model of clips, those of the config `clips`, which is then the default one.
        output: a new or empty folder, which also receives the checkpoints.
        config: of the dataset.
        resume: go on from the last whole checkpoint in the folder; from the beginning where it has none. The recipe
            must be the one with which the run began.

    Raises:
        ValueError: a folder with files and no `resume`, a resumed run of another recipe, a dataset without the needed
            columns or splits, with bad rows or of an unknown space, a setting that does not fit, or a loss that is not
            finite; the message says at which step.
        OSError: the dataset, the encoder or the score's backbone cannot be loaded.
    """
    check_output_folder(output)
    try:
        import accelerate  # noqa: F401
    except ImportError as error:
        raise OSError('training needs accelerate: install it with `pip install "emo3d[train]"`') from error
    checkpoint = _checkpoint(Path(output), recipe, resume)
    arguments, patience = _arguments(recipe, output)
    task = (_clip_task if recipe.kind == "clip-model" else _pair_task)(recipe, dataset, config, arguments)
    if task.truncated:
        logger.warning("%d descriptions were longer than the encoder's window and lost their end", task.truncated)
    model = task.model
    trainer = _TRAINERS.get(type(model), _Trainer)(
        model,
        arguments,
        data_collator=task.collator,
        train_dataset=task.training,
        eval_dataset=task.evaluation,
        processing_class=task.tokenizer,  # so it is saved beside the model
        compute_metrics=task.metrics,
        callbacks=[EarlyStoppingCallback(patience)] if patience else None,
    )
    if trainer.is_world_process_zero():
        Path(output).mkdir(parents=True, exist_ok=True)
        recipe.write(Path(output, RECIPE))
    trainer.train(resume_from_checkpoint=checkpoint)
    for reporting in get_reporting_integration_callbacks(arguments.report_to):
        trainer.remove_callback(reporting)  # its run has ended; evaluating would begin another
    result = Trained(model.eval(), trainer.evaluate(), task.truncated)
    trainer.save_model()
    trainer.save_metrics("eval", result.metrics, combined=False)
    if trainer.is_world_process_zero():
        Path(output, "training_args.bin").unlink(missing_ok=True)  # a pickle of what the recipe says
    return result


@dataclass(frozen=True)
class _Task:
    """What the Trainer needs of a recipe's model and data."""

    model: PreTrainedModel
    training: Dataset
    evaluation: Dataset
    truncated: int
    collator: Callable[..., Any]
    tokenizer: Any = None
    metrics: Callable[[EvalPrediction], dict[str, float]] | None = None


def _pair_task(recipe: Recipe, dataset: str, config: str | None, arguments: TrainingArguments) -> _Task:
    inputs = recipe.data["inputs"]
    validation_inputs = "descriptions" if inputs == "both" else inputs
    pairs, space = _read_split(dataset, config, recipe.data["train_split"], inputs)
    validation, _ = _read_split(dataset, config, recipe.data["validation_split"], validation_inputs)
    space = _check_spaces(recipe.model.get("space"), space, dataset)
    metrics = None
    if recipe.score is not None:
        settings = ScoreSettings(**recipe.score, space=space)
        references = read_references(validation.references(), space)
        scorer = Emo3DScorer(settings, device=str(arguments.device))
        if arguments.process_index == 0:
            scorer.fit(references)
        metrics = score_metrics(scorer, references)

    model = _build(recipe, space, arguments.seed)
    model.to(arguments.device)  # type: ignore[arg-type]  # where a frozen encoder embeds
    with arguments.main_process_first(desc="embedding"):
        training, truncated = prepare(model, pairs.mirrored() if recipe.data["mirror"] else pairs, inputs)
        evaluation, validation_truncated = prepare(model, validation, validation_inputs)
    learns = isinstance(model, ExpressionModel) and not model.config.freeze_encoder
    tokenizer = model.text_encoder().tokenizer if learns else None  # type: ignore[operator]
    collator = DataCollatorWithPadding(tokenizer) if tokenizer else default_data_collator
    return _Task(model, training, evaluation, truncated + validation_truncated, collator, tokenizer, metrics)


def _clip_task(recipe: Recipe, dataset: str, config: str | None, arguments: TrainingArguments) -> _Task:
    settings = _using("model", lambda: recipe.configuration())
    splits = []
    for split in (recipe.data["train_split"], recipe.data["validation_split"]):
        splits.append(
            read_clips(
                _open(dataset, config or _clips_of(dataset), split)[0], f"the split {split} of {dataset}", settings
            )
        )
    fields = {name: value for name, value in recipe.model.items() if name != "type"}
    fields["space"] = space_of(splits[0] + splits[1], recipe.model.get("space"), dataset)
    load_text_encoder(settings.encoder, settings.encoder_revision)  # its first loading draws random numbers
    set_seed(arguments.seed)
    model = ClipModel.from_encoder(**fields)
    fit_spread(model, splits[0])
    model.to(arguments.device)  # type: ignore[arg-type]
    training, truncated = prepare_clips(model, splits[0], recipe.data["mirror"])
    evaluation, validation_truncated = prepare_clips(model, splits[1])
    return _Task(model, training, evaluation, truncated + validation_truncated, ClipCollator(model.config.patch))


def _clips_of(dataset: str) -> str:
    """The config of a dataset's clips; a folder of files without a card, as of `emo3d sample --clips`, has no other."""
    return "default" if any(Path(dataset).glob("*.parquet")) and not Path(dataset, "README.md").is_file() else "clips"


def check_recipe(recipe: Recipe) -> None:
    """Build the objects of a recipe that need no data and no encoder.

    Raises:
        ValueError: a value that cannot be used; the message says where it stands.
    """
    _arguments(recipe, "output")
    _using("model", lambda: recipe.configuration(space=recipe.model.get("space", "weights")))
    if recipe.score is not None:
        _using("score", lambda: ScoreSettings(**recipe.score))  # type: ignore[arg-type]


def _arguments(recipe: Recipe, output: str | os.PathLike[str]) -> tuple[TrainingArguments, int | None]:
    """Arguments of the Trainer, and the patience of its early stopping."""
    options = {"dataloader_pin_memory": torch.cuda.is_available(), **recipe.training}
    patience = options.pop("early_stopping_patience", None)
    if not (patience is None or (isinstance(patience, int) and patience > 0)):
        raise ValueError(f"expected a whole number above 0 as training.early_stopping_patience, got {patience!r:.60}")
    return _using("training", lambda: TrainingArguments(str(output), **options)), patience


def _using(section: str, build: Callable[[], T]) -> T:
    try:
        return build()
    except Exception as error:  # transformers checks few types: a wrong one comes to nearly anything
        raise ValueError(f"the recipe's {section} cannot be used: {str(error)[:500]}") from error


def score_metrics(scorer: Emo3DScorer, references: Any) -> Callable[[EvalPrediction], dict[str, float]]:
    """The Emo3D score as the Trainer's `compute_metrics`; of several processes the first computes it, for all.

    Args:
        scorer: with a bank (`fit`), else the references are embedded at every evaluation.
        references: of the evaluated rows, in their order, as for `Emo3DScorer.update`.

    Returns:
        A function of a Trainer's predictions (N, 51), which gives `emo3d`, `kl_divergence`, `recall_at_k`, `mse` and
        `amplitude`.
    """

    def score(predictions: Any) -> dict[str, float]:
        scorer.reset()
        scorer.update(predictions, references)  # the Trainer keeps the order of the rows
        result = scorer.compute()
        return {name: value for name, value in result.numbers.items() if name != "mae"}

    def compute_metrics(prediction: EvalPrediction) -> dict[str, float]:
        from accelerate import PartialState
        from accelerate.utils import broadcast_object_list

        scores = [score(prediction.predictions) if PartialState().is_main_process else None]
        return broadcast_object_list(scores)[0]

    return compute_metrics


class _Trainer(Trainer):
    def training_step(self, *args: Any, **kwargs: Any) -> torch.Tensor:
        loss = super().training_step(*args, **kwargs)
        if not loss.isfinite():
            raise ValueError(
                f"the loss is {loss.item()} at step {self.state.global_step + 1}: expected a finite one, "
                "try a lower learning_rate"
            )
        return loss


class _VaeTrainer(_Trainer):
    """Evaluates the expression decoded from an embedding, which users get, not that of the autoencoder."""

    def prediction_step(
        self, model: Any, inputs: dict[str, Any], prediction_loss_only: bool, ignore_keys: list[str] | None = None
    ) -> tuple[torch.Tensor | None, torch.Tensor | None, torch.Tensor | None]:
        inputs = self._prepare_inputs(inputs)
        labels = inputs.pop("labels")
        (embeddings,) = inputs.values()
        vae: Any = self.accelerator.unwrap_model(model)
        with torch.no_grad(), self.compute_loss_context_manager():
            expressions = vae.decoder(vae.config.embedding_scale * embeddings)
            loss = mse_loss(expressions, labels)
        return loss, None if prediction_loss_only else expressions, labels


class _ClipTrainer(_Trainer):
    """Batches of clips of about one length, which would be padding by half otherwise."""

    def _get_train_sampler(self, *_: Any) -> LengthGroupedSampler:
        lengths = [len(row["labels"]) for row in self.train_dataset]  # type: ignore[union-attr]
        return LengthGroupedSampler(self._train_batch_size * self.args.gradient_accumulation_steps, lengths=lengths)


_TRAINERS: dict[type, type[_Trainer]] = {VaeClipModel: _VaeTrainer, ClipModel: _ClipTrainer}


def _open(dataset: str, config: str | None, split: str) -> tuple[Any, Space | None]:
    if is_release(dataset):
        raise ValueError(
            f"{dataset} is the published release, which has no typed splits: run `emo3d build` on it first"
        )
    return open_rows(dataset, config, split)


def _read_split(dataset: str, config: str | None, split: str, inputs: str) -> tuple[Pairs, Space | None]:
    rows, space = _open(dataset, config, split)
    return read_pairs(rows, f"the split {split} of {dataset}", pictures=inputs != "descriptions"), space


def _build(recipe: Recipe, space: Space, seed: int) -> PreTrainedModel:
    config = _using("model", lambda: recipe.configuration(space=space))
    model_class = MODELS[recipe.kind]
    if model_class is not ExpressionModel:
        config.embedding_size = model_class(config).embed(["a face"]).shape[1]
        set_seed(seed)
        return model_class(config)
    # Into the cache: the first loading of an encoder draws random numbers, later ones none.
    load_encoder(config.encoder, config.encoder_revision, pooling=config.pooling, normalize=config.normalize)
    set_seed(seed)
    fields = {name: value for name, value in recipe.model.items() if name != "type"}
    return ExpressionModel.from_encoder(**fields | {"space": space})


def _check_spaces(setting: str | None, space: Space | None, dataset: str) -> Space:
    """The space of the expressions, by the recipe and by the dataset, which must agree."""
    if setting and space and setting != space:
        raise ValueError(f"{dataset} says that its space is {space}, got model.space={setting}")
    if not (setting or space):
        raise ValueError(
            f"nobody says in which space the blendshapes of {dataset} are: "
            "expected the setting model.space=reading (MediaPipe's, as in the release) or model.space=weights"
        )
    return check_space(setting or space or "")


def _checkpoint(output: Path, recipe: Recipe, resume: bool) -> str | None:
    """The last checkpoint in the folder; one that a kill cut short has no trainer state, which is written last."""
    if not resume:
        if output.exists() and any(output.iterdir()):
            raise ValueError(
                f"expected a new or empty folder, {output} has files: resume (--resume) the training in it, or name "
                "another"
            )
        return None
    if (output / RECIPE).is_file():
        difference = recipe.difference(load_recipe(output / RECIPE))
        if difference:
            raise ValueError(f"expected the recipe with which the training in {output} began: {difference}")
    for folder in sorted(output.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True):
        with contextlib.suppress(OSError, ValueError):
            json.loads((folder / "trainer_state.json").read_text())
            return str(folder)
    return None
