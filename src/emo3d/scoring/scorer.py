"""The Emo3D score of faces that come in parts: `Emo3DScorer`, a state that is updated, merged and computed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from emo3d.backbones import Backbone, load_backbone
from emo3d.blendshapes import BLENDSHAPES
from emo3d.face import FaceRig, RenderSettings, render_batches
from emo3d.face.spaces import name_calibration
from emo3d.scoring.bank import Bank, full_name
from emo3d.scoring.core import divergence, retrieved_distribution
from emo3d.scoring.digests import row_digests
from emo3d.scoring.inputs import Pictures, References, read_batch, read_references
from emo3d.scoring.result import Emo3DResult, summarise
from emo3d.scoring.settings import ScoreSettings, signature_difference

logger = logging.getLogger(__name__)

FACE = ("space", "calibration", "identity", "render")  # settings that say nothing where pictures come in
_AHEAD = 8  # batches rendered at once
_LOOKED_UP = 8192  # faces whose retrieved intensities are held at once, in 5 MB for k = 10
_EXPRESSION = (len(BLENDSHAPES),)
_MIXED_ERRORS = "expected reference blendshapes to compare with in every update or in none"


class Emo3DScorer:
    """Score faces that come in parts, in a training loop or on several machines.

    Faces are rendered and encoded when they are added; the bank is searched in `compute`. The result does not depend on
    how the faces were split, in which order they came or which scorer saw them:

    - References that are their own bank are brought into one order, by description, then intensities; duplicates stay.
      A `Bank` that is given keeps its own order.
    - The bootstrap draws from rows in an order that follows from their content.
    - The backbone always sees `batch_size` pictures, since encoders round differently with every other number of them.
      So faces wait until there are enough for a batch, and the last batch is filled up.

    Memory grows by the embedding of a face (2 kB with ViT-B/32, times `settings.identities`).

    Args:
        settings: `ScoreSettings()` by default.
        backbone: its name; or a backbone, used instead of loading `settings.backbone`, whose own id and revision are
            signed.
        device: of a backbone that is loaded here.
        batch_size: faces encoded at a time; the same in scorers that are merged.

    Raises:
        ValueError: a batch size below 1.

    Example:
        >>> scorer = Emo3DScorer(ScoreSettings(backbone="quickstart", k=1))
        >>> smile = {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9, "cheekSquintLeft": 0.5, "cheekSquintRight": 0.5}
        >>> frown = {"mouthFrownLeft": 0.8, "mouthFrownRight": 0.8, "browInnerUp": 0.7}
        >>> scorer.update([smile], [{"description": "She is overjoyed", "intensities": {"happiness": 0.9}}])
        >>> scorer.update([frown], [{"description": "He is deeply sad", "intensities": {"sadness": 0.9}}])
        >>> result = scorer.compute()
        >>> result.n, round(result.kl_divergence, 4)
        (2, -0.01)
    """

    def __init__(
        self,
        settings: ScoreSettings | None = None,
        *,
        backbone: Backbone | str | None = None,
        device: str = "cpu",
        batch_size: int = 32,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"expected a batch_size of at least 1, got {batch_size}")
        self.settings = settings or ScoreSettings()
        if isinstance(backbone, str):
            self.settings, backbone = replace(self.settings, backbone=backbone), None
        self.device = device
        self.batch_size = batch_size
        self.bank: Bank | None = None
        self._backbone = backbone
        self._is_given = backbone is not None
        self._is_named = False  # whether the settings say which backbone it is, with its revision
        self.reset()

    def reset(self) -> None:
        """Forget all faces; the bank stays."""
        self._described: list[References] = []
        self._errors: list[dict[str, np.ndarray]] = []
        self._embeddings: list[torch.Tensor] = []
        self._waiting: np.ndarray | None = None  # expressions or pictures, fewer than a batch, not encoded yet
        self._shape: tuple[int, ...] | None = None  # of a face: (51,) or (H, W, 3)

    def __len__(self) -> int:
        return sum(map(len, self._described))

    def fit(self, bank: Any) -> Emo3DScorer:
        """Set what faces look up, for this and all later results. Without it, the references added are the bank.

        Args:
            bank: a `Bank`, or references as for `update`, which are sorted and embedded.

        Returns:
            The scorer itself.

        Raises:
            ValueError: bad references, a bank smaller than k, of another backbone or of another hash than
                `settings.bank`.
            OSError: the backbone is not to be had.
        """
        self.bank = self._checked(bank)
        return self

    def update(self, predictions: Any, references: Any) -> None:
        """Add faces with the descriptions they were made for; all of them, or none where something is wrong.

        Args:
            predictions: N expressions, anything that `as_expressions` reads as 51 scores, in `settings.space`; or N
                pictures: (N, H, W, 3) uint8, or a sequence of arrays, PIL images or paths of RGB pictures of one size.
                A scorer takes either expressions or pictures.
            references: N rows with `description` and `intensities` and, for `mse` and `mae`, `blendshapes` in the space
                of the predictions; see `read_references`, which may be told another space: then neither is computed.

        Raises:
            ValueError: bad expressions, pictures or references, not as many of one as of the other, or of another kind
                than before; messages name the row. Readings for an identity without a calibration.
            OSError: the backbone is not to be had.
        """
        given, described = read_batch(predictions, references)
        self._load()
        rows = self._behind_waiting(given)
        errors = self._compared(given, described)
        if self._errors and bool(self._errors[0]) != bool(errors):
            raise ValueError(_MIXED_ERRORS)
        whole = len(rows) - len(rows) % self.batch_size
        embeddings = []
        with tqdm(desc="Scoring", total=whole, unit=" faces", delay=5, leave=False) as progress:
            for encoded in self._encode(rows, whole):
                embeddings.append(encoded)
                progress.update(len(encoded))
        waiting = rows[whole:].copy() if whole < len(rows) else None

        self._waiting = waiting
        self._shape = rows.shape if isinstance(rows, Pictures) else rows.shape[1:]
        self._embeddings += embeddings
        self._errors.append(errors)
        self._described.append(References(described.descriptions, described.intensities))

    def merge(self, *others: Emo3DScorer) -> Emo3DScorer:
        """Add the faces of other scorers, behind those of this one; the others keep theirs.

        A scorer can be pickled, as `accelerate.utils.gather_object` does. Its backbone stays behind; only one that
        `load_backbone` finds by name is there again when it is needed.

        Returns:
            The scorer itself.

        Raises:
            ValueError: a scorer with other settings, another backbone or bank; the message says which.
        """
        for other in others:
            difference = signature_difference(self._signature(), other._signature())
            if difference:
                raise ValueError(f"expected scorers of the same settings, they differ in {difference}")
        filled = [scorer for scorer in (self, *others) if len(scorer)]
        if len({scorer._shape for scorer in filled}) > 1:
            kinds = ", ".join(dict.fromkeys(_kind(scorer._shape) for scorer in filled))
            raise ValueError(f"expected scorers of one kind of faces, got {kinds}")
        if len({bool(scorer._errors[0]) for scorer in filled}) > 1:
            raise ValueError(_MIXED_ERRORS)
        for scorer in filled:
            scorer._encode_waiting()
        for other in [scorer for scorer in others if len(scorer)]:
            self._shape = other._shape
            self._embeddings = [*self._embeddings, *other._embeddings]
            self._errors = [*self._errors, *other._errors]
            self._described = [*self._described, *other._described]
        return self

    def compute(self) -> Emo3DResult:
        """Score all faces added so far; more may be added after.

        Returns:
            The score, its parts, intervals and signature; `per_sample` is in the order of the updates, then of the
            scorers merged.

        Raises:
            ValueError: no faces, or fewer references than k where they are the bank.
            OSError: the backbone is not to be had.
        """
        if not len(self):
            raise ValueError("expected faces to score, got none: call update before compute")
        descriptions = [description for part in self._described for description in part.descriptions]
        described = References(descriptions, np.concatenate([part.intensities for part in self._described]))
        bank = self.bank or self._checked(described)
        self._encode_waiting()
        embeddings = torch.cat([part.to(self._embeddings[0]) for part in self._embeddings])
        settings = replace(self.settings, bank=bank.hash)
        per_sample = _look_up(embeddings, described, bank, settings)
        per_sample |= {name: np.concatenate([part[name] for part in self._errors]) for name in self._errors[0]}
        compared = per_sample.pop("compared", None)
        signature = sign_expressions(settings) if self._shape == _EXPRESSION else settings.sign(FACE)
        return summarise(per_sample, described, settings, signature, bank.truncated, compared)

    def __getstate__(self) -> dict[str, Any]:
        self._load()
        self._encode_waiting()
        return self.__dict__ | {"_backbone": None, "_embeddings": [part.cpu() for part in self._embeddings]}

    def _load(self) -> Backbone:
        """The backbone; from now on, the settings say which one it is."""
        if self._backbone is None:
            dtype = getattr(torch, self.settings.dtype)
            self._backbone = load_backbone(
                self.settings.backbone, self.settings.revision, device=self.device, dtype=dtype
            )
        one = self._backbone
        render = self.settings.render or RenderSettings(size=one.image_size)
        self.settings = replace(self.settings, backbone=one.id, revision=one.revision, dtype=one.dtype, render=render)
        self._is_named = True
        return one

    def _signature(self) -> str:
        if not self._is_named:
            self._load()
        return replace(self.settings, bank=self.bank.hash if self.bank else self.settings.bank).signature

    def _checked(self, bank: Any) -> Bank:
        backbone = self._load()
        given = bank if isinstance(bank, Bank) else read_references(bank).canonical()
        if self.settings.k > len(given):
            raise ValueError(f"expected a bank of at least k = {self.settings.k} descriptions, got {len(given)}")
        if isinstance(given, References):
            given = Bank.encode(given.descriptions, given.intensities, backbone, cache=not self._is_given)
        if given.backbone != full_name(backbone):
            raise ValueError(f"expected a bank embedded by {full_name(backbone)}, got one by {given.backbone}")
        if self.settings.bank not in (None, given.hash):
            raise ValueError(f"expected the bank {self.settings.bank}, got {given.hash}")
        return given

    def _behind_waiting(self, given: np.ndarray | Pictures) -> np.ndarray | Pictures:
        kind = "pictures" if isinstance(given, Pictures) else "expressions"
        if self._shape is not None and (self._shape == _EXPRESSION) != (kind == "expressions"):
            raise ValueError(f"expected {_kind(self._shape)} as before, got {kind}")
        if isinstance(given, Pictures):
            return Pictures(given, () if self._waiting is None else self._waiting, self._shape)
        return given if self._waiting is None else np.concatenate([self._waiting, given])

    def _encode(self, rows: np.ndarray | Pictures, count: int) -> Iterator[torch.Tensor]:
        """Embeddings of the first `count` rows, a batch at a time: (n, K, D), K identities, or 1 for pictures."""
        backbone = self._load()
        streams = [self._pictures(rows, count, name) for name in self._faces(rows)]
        for batches in zip(*streams, strict=True):
            yield torch.stack([backbone.encode_pictures(pictures) for pictures in batches], dim=1)

    def _faces(self, rows: np.ndarray | Pictures) -> tuple[str | None, ...]:
        return (None,) if isinstance(rows, Pictures) or rows.ndim == 4 else self.settings.faces

    def _pictures(self, rows: np.ndarray | Pictures, count: int, identity: str | None) -> Iterator[np.ndarray]:
        """Pictures of the first `count` rows, a batch at a time; of expressions, on the face of an identity."""
        batch_size = self.batch_size
        if identity is None:
            yield from (rows[start : start + batch_size] for start in range(0, count, batch_size))
        elif count:
            # Several batches ahead: after every pass PyTorch's idle threads spin for a while, in the renderer's way.
            for faces in render_batches(
                rows[:count],
                space=self.settings.space,
                rig=FaceRig.from_anny(identity),
                settings=self.settings.render,
                calibration=self.settings.calibration,
                batch_size=_AHEAD * batch_size,
            ):
                yield from (faces[start : start + batch_size] for start in range(0, len(faces), batch_size))

    def _encode_waiting(self) -> None:
        if self._waiting is not None:
            missing = self.batch_size - len(self._waiting)
            filled = np.concatenate([self._waiting, self._waiting[:1].repeat(missing, axis=0)])
            (encoded,) = self._encode(filled, len(filled))
            self._embeddings = [*self._embeddings, encoded[:-missing]]
            self._waiting = None

    def _compared(self, given: np.ndarray | Pictures, described: References) -> dict[str, np.ndarray]:
        """Errors of expressions, where there are two of one space to compare."""
        if isinstance(given, Pictures) or described.expressions is None:
            return {}
        if described.space not in (None, self.settings.space):
            what = f"the references' blendshapes are {described.space}, the predictions {self.settings.space}"
            logger.warning("no MSE and MAE: %s", what)
            return {}
        difference = given.astype(np.float64) - described.expressions
        return {
            "mse": (difference**2).mean(axis=1),
            "mae": np.abs(difference).mean(axis=1),
            "compared": row_digests(described),
        }


def sign_expressions(settings: ScoreSettings) -> str:
    """The signature of a score of expressions, which names the calibration of the face that they are rendered on."""
    calibration = FaceRig.from_anny(settings.faces[0]).calibration
    return settings.sign(calibration=name_calibration(settings.space, settings.calibration, calibration))


def _look_up(
    embeddings: torch.Tensor, described: References, bank: Bank, settings: ScoreSettings
) -> dict[str, np.ndarray]:
    """Per-sample values of embeddings (N, K, D), each the mean over K identities."""
    of_each = [_retrieve(pictures, described, bank, settings) for pictures in embeddings.unbind(dim=1)]
    means = {name: np.mean([values[name] for values in of_each], axis=0) for name in of_each[0]}
    return (of_each[0] if len(of_each) == 1 else means) | {"reference": described.ranks}


def _retrieve(pictures: torch.Tensor, described: References, bank: Bank, settings: ScoreSettings) -> dict[str, Any]:
    p = described.intensities / described.intensities.sum(axis=1, keepdims=True)
    nearest = bank.nearest(pictures, settings.k)
    kl, found = np.empty(len(p)), np.empty_like(p)
    for start in range(0, len(p), _LOOKED_UP):
        rows = slice(start, start + _LOOKED_UP)
        retrieved = bank.intensities[nearest[rows]]
        kl[rows] = divergence(p[rows], retrieved, settings.variant, settings.epsilon)
        found[rows] = retrieved_distribution(retrieved)
    per_sample = {"kl_divergence": kl, "distribution": found}
    match = bank.matches(described.descriptions, nearest)
    return per_sample if match is None else per_sample | {"match": match}


def _kind(shape: tuple[int, ...] | None) -> str:
    return "expressions" if shape is None or shape == _EXPRESSION else f"pictures of {shape[1]} x {shape[0]}"
