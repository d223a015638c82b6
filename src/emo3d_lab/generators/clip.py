"""The published CLIP baseline: the embedding of a description or of a picture, and a head of three linear layers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn

from emo3d.backbones import DEFAULT_BACKBONE, QUICKSTART, load_backbone
from emo3d.blendshapes import BLENDSHAPES, Space, check_space
from emo3d.generation.base import ExpressionOutput, GeneratorConfig, GeneratorModel, embeddings_of
from emo3d.pictures import check_pictures, read_picture


class BackboneConfig(GeneratorConfig):
    """What generators that start from a dual encoder have in common.

    The backbone is frozen, is no part of the checkpoint and comes by its id.

    Raises:
        ValueError: an unknown space, or the quickstart backbone, which knows unit length only, without `normalize`.
    """

    def __init__(
        self,
        backbone: str = DEFAULT_BACKBONE,  # an id on the Hub, a local folder, or "quickstart"
        backbone_revision: str | None = None,  # branch, tag or commit
        normalize: bool = False,  # to unit length; the published models take embeddings as they come
        embedding_size: int = 512,  # D, the width of the backbone's embeddings
        space: Space = "reading",  # of the 51 scores, as in the release
        **kwargs: Any,
    ) -> None:
        if backbone == QUICKSTART and not normalize:
            raise ValueError(f"the backbone {QUICKSTART!r} has embeddings of unit length: expected normalize=True")
        self.backbone = backbone
        self.backbone_revision = backbone_revision
        self.normalize = normalize
        self.embedding_size = embedding_size
        self.space = check_space(space)
        super().__init__(**kwargs)


class BackboneModel(GeneratorModel):
    """A generator that starts from a frozen dual encoder, and so from descriptions or from pictures."""

    config: BackboneConfig

    def embed(
        self,
        descriptions: Sequence[str] | None = None,
        pictures: Sequence[Any] | np.ndarray | None = None,
        batch_size: int = 64,
    ) -> torch.Tensor:
        """Embed N descriptions or pictures with the backbone: (N, D) float32 on the model's device.

        Args:
            descriptions: one beyond the backbone's window loses its end, with a warning.
            pictures: instead of descriptions; paths, RGB PIL images or arrays (H, W, 3) uint8, of any sizes.
            batch_size: rows per pass.

        Raises:
            ValueError: neither or both, none, or a bad one; the message names the row.
            EncoderUnavailableError: the backbone cannot be loaded.
        """
        if (descriptions is None) == (pictures is None):
            raise ValueError("expected either descriptions or pictures")
        config = self.config
        backbone: Any = load_backbone(config.backbone, config.backbone_revision, device=str(self.device))
        options = {} if config.normalize else {"normalize": False}  # unit length is what every backbone gives
        if pictures is not None:
            parts = []
            for start in range(0, len(check_pictures(pictures)), batch_size):
                batch = enumerate(pictures[start : start + batch_size], start)
                pixels = [read_picture(picture, row) for row, picture in batch]
                parts.append(backbone.encode_pictures(pixels, **options))
            return torch.cat(parts)
        # A copy made outside inference mode, as the joined pictures are: models can be trained on it.
        return embeddings_of(backbone.encode_texts(descriptions, batch_size, **options)).clone()


class ClipExpressionConfig(BackboneConfig):
    """What a `ClipExpressionModel` is made of; the defaults are the published baseline."""

    model_type = "emo3d-clip"

    def __init__(self, hidden_sizes: Sequence[int] = (256, 128), **kwargs: Any) -> None:
        self.hidden_sizes = list(hidden_sizes)
        super().__init__(**kwargs)


class ClipExpressionModel(BackboneModel):
    """Description or picture -> expression: a CLIP embedding, linear layers with ReLU, a sigmoid at the end.

    The CLIP baseline of Dehghani et al. 2025 (arXiv 2410.02049), with the names of its released state dict.

    Example:
        >>> model = ClipExpressionModel(ClipExpressionConfig())
        >>> model(torch.zeros(2, 512)).expressions.shape
        torch.Size([2, 51])
    """

    config_class = ClipExpressionConfig
    main_input_name = "embeddings"
    config: ClipExpressionConfig

    def __init__(self, config: ClipExpressionConfig) -> None:
        super().__init__(config)
        layers: list[nn.Module] = []
        for before, after in pairwise([config.embedding_size, *config.hidden_sizes, len(BLENDSHAPES)]):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.network = nn.Sequential(*layers[:-1], nn.Sigmoid())
        self.post_init()

    def forward(self, embeddings: torch.Tensor, labels: torch.Tensor | None = None) -> ExpressionOutput:
        """Map embeddings (N, D), as `embed` gives them, to expressions; labels (N, 51) are in the model's space."""
        self._check_width(embeddings)
        expressions = self.network(embeddings.to(self.dtype))
        loss = None if labels is None else nn.functional.mse_loss(expressions, labels.to(expressions))
        return ExpressionOutput(loss=loss, expressions=expressions)

    def generate(
        self,
        descriptions: Sequence[str] | None = None,
        pictures: Sequence[Any] | np.ndarray | None = None,
        batch_size: int = 64,
        *,
        space: Space | None = None,
    ) -> np.ndarray:
        """Generate one expression for every description or picture: (N, 51) float32 in 0..1, order `BLENDSHAPES`.

        `embed` says more of the arguments and errors, `ExpressionModel.generate` of `space` and mouthClose.
        """
        with self._generating(space) as answer:
            return answer(self(self.embed(descriptions, pictures, batch_size)).expressions)
