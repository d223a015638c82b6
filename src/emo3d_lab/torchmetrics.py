"""The Emo3D score as a `torchmetrics.Metric` (extra `torchmetrics`), for Lightning, `MetricCollection` and DDP."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from emo3d.backbones import Backbone
from emo3d.hints import extra_named
from emo3d.scoring.references import References
from emo3d.scoring.result import Emo3DResult
from emo3d.scoring.scorer import Emo3DScorer
from emo3d.scoring.settings import ScoreSettings
from emo3d.scoring.state import EXPRESSION, MIXED_ERRORS, ScoreState, kind_of

with extra_named():
    from torchmetrics import Metric
    from torchmetrics.utilities import dim_zero_cat

# Tensors of one axis, since those of a process without faces are joined with the others' all the same.
_STATES = {
    "embeddings": torch.float32,
    "intensities": torch.float32,
    "texts": torch.uint8,  # UTF-8, one after the other
    "lengths": torch.int64,  # of the texts, in bytes
    "shapes": torch.int64,  # three numbers for each update
    "mse": torch.float64,
    "mae": torch.float64,
    "amplitude": torch.float64,
    "digests": torch.uint8,
}
_ERRORS = ("mse", "mae", "amplitude", "digests")


class Emo3DMetric(Metric):
    """`Emo3DScorer` with the life of torchmetrics: `update`, `compute`, `forward`, `reset`, `merge_state`, and syncing.

    `compute` returns a tensor for each of `emo3d` (lower is better), `kl_divergence`, `recall_at_k`, `mse`, `mae` and
    `amplitude` (1 is best), as far as there are, with the numbers of `score`; `result` is then the whole `Emo3DResult`.
    Updates of whole batches are the fastest. `forward` scores a batch by itself, which needs a `bank`, or at least k
    rows in every batch.

    Args:
        bank: a `Bank`, or references; None takes the references that were added.
        encoder_device: `device` of `Emo3DScorer`, as the others are its own.
        options: of `torchmetrics.Metric`.

    Example:
        >>> metric = Emo3DMetric(ScoreSettings(backbone="quickstart", k=1))
        >>> smile = {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9, "cheekSquintLeft": 0.5, "cheekSquintRight": 0.5}
        >>> metric.update([smile], [{"description": "She is overjoyed", "intensities": {"happiness": 0.9}}])
        >>> round(float(metric.compute()["kl_divergence"]), 4)
        -0.01
    """

    is_differentiable = False
    higher_is_better = False
    full_state_update = False
    result: Emo3DResult | None = None

    def __init__(
        self,
        settings: ScoreSettings | None = None,
        *,
        bank: Any = None,
        backbone: Backbone | str | None = None,
        encoder_device: str = "cpu",
        batch_size: int = 32,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.scorer = Emo3DScorer(settings, backbone=backbone, device=encoder_device, batch_size=batch_size)
        if bank is not None:
            self.scorer.fit(bank)
        for name in _STATES:
            self.add_state(name, default=[], dist_reduce_fx="cat")

    def update(self, predictions: Any, references: Any) -> None:
        """Add faces with their references, see `Emo3DScorer.update`."""
        self.scorer.update(predictions, references)
        state = self.scorer.encode_waiting()
        self.scorer.reset()
        (part,), (errors,) = state.references, state.errors
        texts = [description.encode() for description in part.descriptions]
        values: dict[str, Any] = {
            "embeddings": torch.cat(state.embeddings),
            "intensities": part.intensities,
            "texts": np.frombuffer(bytearray(b"".join(texts)), np.uint8),
            "lengths": [len(text) for text in texts],
            "shapes": [*state.shape, 0, 0][:3],  # type: ignore[misc]
        } | errors
        for name, value in values.items():
            array = value.view(np.uint8) if name == "digests" else value
            getattr(self, name).append(torch.as_tensor(array).to(self.device, _STATES[name]).flatten())

    def compute(self) -> dict[str, torch.Tensor]:
        """Score all faces, of all processes; see the class."""
        self.scorer.state = self._state()
        try:
            self.result = self.scorer.compute()
        finally:
            self.scorer.reset()
        return {name: torch.tensor(number) for name, number in self.result.numbers.items()}

    def _state(self) -> ScoreState:
        values = {name: dim_zero_cat(state).cpu() for name in _STATES if len(state := getattr(self, name))}
        if not len(values.get("lengths", ())):
            return ScoreState()
        shapes = {tuple(shape[shape > 0].tolist()) for shape in values["shapes"].view(-1, 3)}
        if len(shapes) > 1:
            kinds = ", ".join(sorted(map(kind_of, shapes)))
            raise ValueError(f"expected updates of one kind of faces, got {kinds}")
        ends = np.cumsum(values["lengths"].numpy())
        content = values["texts"].numpy().tobytes()
        texts = [content[end - length : end].decode() for end, length in zip(ends, values["lengths"], strict=True)]
        references = References(texts, values["intensities"].view(len(texts), -1).numpy())
        errors = {name: values[name].numpy() for name in _ERRORS if len(values.get(name, ()))}
        if errors:
            errors["digests"] = errors["digests"].view("V16")
            if len(errors["mse"]) < len(texts):
                raise ValueError(MIXED_ERRORS)
        (shape,) = shapes
        identities = len(self.scorer.settings.faces) if shape == EXPRESSION else 1
        embeddings = values["embeddings"].view(len(texts), identities, -1)
        return ScoreState((references,), (errors,), (embeddings,), None, shape)

    def _sync_dist(self, *args: Any, **options: Any) -> None:
        for name, dtype in _STATES.items():
            if not len(getattr(self, name)):  # torchmetrics would send float32, whatever the others send
                setattr(self, name, [torch.zeros(0, dtype=dtype, device=self.device)])
        super()._sync_dist(*args, **options)
