"""Generators in `evaluate`'s suites.

`evaluate.EvaluationSuite` runs a task by its name: transformers must have a pipeline of that name, which
`emo3d.generation` registers, and evaluate an evaluator, which `register_task` adds. See `docs/examples/suite.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from typing import Any

from emo3d import metric_path
from emo3d.generation import TASK, load_generator
from emo3d.hints import extra_named

with extra_named():
    from evaluate.evaluator import SUPPORTED_EVALUATOR_TASKS, Evaluator


class ExpressionEvaluator(Evaluator):
    """`evaluate.evaluator(TASK)`: scores the expressions that a generator makes for the descriptions of a dataset.

    `compute` takes as `model_or_pipeline` what `load_generator` takes, an object with `generate`, or a function of N
    descriptions; as `data` a dataset that `read_references` reads, or what `load_dataset` takes; as `metric` the Emo3D
    score with its settings, `evaluate.load(emo3d.metric_path(), backbone=...)`. The space is that of the generator,
    where it says one.
    """

    def prepare_data(self, data: Any, input_column: str, **_: Any) -> tuple[dict[str, Any], list[str]]:
        """References and descriptions of a dataset."""
        self.check_required_columns(data, {"input_column": input_column, "references": "intensities"})
        names = ("description", "intensities", "blendshapes")
        references = {name: data[name] for name in names if name in data.column_names}
        return {"references": references}, list(data[input_column])

    def prepare_pipeline(self, model_or_pipeline: Any, *_: Any, **__: Any) -> Callable[[list[str]], Any]:
        """The function from descriptions to expressions; keeps their space."""
        if isinstance(model_or_pipeline, (str, PathLike)):
            model_or_pipeline = load_generator(str(model_or_pipeline))
        self.space = getattr(getattr(model_or_pipeline, "config", None), "space", None)
        return getattr(model_or_pipeline, "generate", model_or_pipeline)

    def predictions_processor(self, predictions: Any, *_: Any) -> dict[str, Any]:
        """Arguments of the metric."""
        return {"predictions": predictions}

    def compute(self, *args: Any, input_column: str = "description", **kwargs: Any) -> dict[str, Any]:
        """Generate and score: what the metric returns, and the speed of the generator."""
        return super().compute(*args, input_column=input_column, **kwargs)

    def compute_metric(
        self, metric: Any, metric_inputs: dict[str, Any], strategy: str = "simple", **_: Any
    ) -> dict[str, Any]:
        """Score.

        Raises:
            ValueError: another strategy than `"simple"`; the result has bootstrap intervals already.
        """
        if strategy != "simple":
            raise ValueError(f"expected the strategy 'simple', got {strategy!r}: the score has intervals of its own")
        return metric.compute(**metric_inputs, **({"space": self.space} if self.space else {}))


def register_task() -> None:
    """Make `TASK` known to `evaluate.evaluator` and `evaluate.EvaluationSuite`."""
    SUPPORTED_EVALUATOR_TASKS[TASK] = {
        "implementation": ExpressionEvaluator,
        "default_metric_name": metric_path(),
    }
