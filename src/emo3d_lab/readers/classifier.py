"""Any image classifier of the Hub whose labels are emotions, as a reader."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoImageProcessor, AutoModelForImageClassification

from emo3d.backbones import backbone_name
from emo3d.backbones.preprocess import Preprocess
from emo3d.encoders import folder_digest
from emo3d.hints import unwritable_cache
from emo3d.loading import FROM_PRETRAINED, damage_explained, find_commit
from emo3d.numerics import fixed_numerics
from emo3d_lab.readers.base import EmotionReader, cut_square
from emo3d_lab.readers.labels import LabelMap, Labels

SCALE = 1.2
"""Side of the crop in longer sides of the landmarks' box: with chin and forehead, as data sets of faces are cut. Chosen
beforehand, not fitted to any reader."""

_BATCH = 32


class ReaderUnavailableError(OSError):
    """A reader's files are not here, and cannot be fetched."""


class ClassifierReader(EmotionReader):
    """Reads emotions by `AutoModelForImageClassification`, its weights in float32.

    Args:
        name: id on the Hub, with `@` and a branch, tag or commit after it or not; or a folder.
        labels: what its labels mean, where their own words do not say it.
        scale: of the crop.
        device: where it runs.

    Raises:
        ValueError: labels that are no emotions, a damaged model, or an image processor without a fixed size.
        ReaderUnavailableError: it cannot be loaded; an OSError.
    """

    def __init__(self, name: str, labels: Labels | None = None, *, scale: float = SCALE, device: str = "cpu") -> None:
        local = Path(name).is_dir()
        id, _, revision = (name, "", "") if local else name.partition("@")
        try:
            with fixed_numerics(), FROM_PRETRAINED, damage_explained("image classifier", id):
                commit = None if local else find_commit(id, revision or None)  # first: a branch may move meanwhile
                options: dict[str, Any] = {"revision": commit}
                model, loading = AutoModelForImageClassification.from_pretrained(
                    id, output_loading_info=True, dtype=torch.float32, **options
                )
                if missing := sorted(map(str, (*loading["missing_keys"], *loading["mismatched_keys"]))):
                    raise ValueError(f"its weights lack {missing[0]}, which would be drawn at random")
                self._preprocess = Preprocess.from_processor(AutoImageProcessor.from_pretrained(id, **options))
        except OSError as error:
            raise ReaderUnavailableError(
                unwritable_cache(error)
                or f"the reader {name} could not be loaded: it is not in the local cache and the Hub cannot be "
                "reached, or it has no such image classifier"
            ) from error
        self._model, self._device, self._scale = model.eval().to(device), device, scale
        names = model.config.id2label
        self.labels = tuple(str(names[place]) for place in sorted(names))
        self._labels = LabelMap(self.labels, labels, name)
        self.name = backbone_name(str(Path(name).resolve())) if local else name
        self.emotions = self._labels.emotions
        self.signature = (
            f"{self.name.partition('@')[0]}:{commit or folder_digest(id, model, None)}|labels:{self._labels.digest}"
            f"|crop:square/{scale}"
        )

    def _read(self, pictures: Sequence[np.ndarray], boxes: np.ndarray) -> np.ndarray:
        answers = []
        for start in range(0, len(pictures), _BATCH):
            part = slice(start, start + _BATCH)
            squares = [
                cut_square(picture, box, self._scale) for picture, box in zip(pictures[part], boxes[part], strict=True)
            ]
            with torch.inference_mode(), fixed_numerics(self._device):
                logits = self._model(pixel_values=self._preprocess(squares, self._device, torch.float32)).logits
            answers.append(self._labels.shares(logits.softmax(dim=-1).cpu().numpy()))
        return np.concatenate(answers)
