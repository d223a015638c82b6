"""The generator as a transformers model: a text encoder, and a head that ends in 51 sigmoid scores."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.utils import cached_file

from emo3d.blendshapes import BLENDSHAPES, Space, check_space
from emo3d.encoders import (
    MINILM,
    EncoderUnavailableError,
    Pooling,
    TextEncoder,
    check_pooling,
    embed_tokens,
    load_text_encoder,
)
from emo3d.generation.base import ExpressionOutput, GeneratorConfig, GeneratorModel, embeddings_of
from emo3d.hints import unwritable_cache
from emo3d.loading import FROM_PRETRAINED

_NO_ERRORS = {f"_raise_exceptions_for_{case}": False for case in ("missing_entries", "connection_errors", "gated_repo")}
_DTYPES = ("dtype", "torch_dtype")  # what transformers 5 and 4 call it in a configuration


class ExpressionConfig(GeneratorConfig):
    """What an `ExpressionModel` is made of."""

    model_type = "emo3d-expression"

    def __init__(
        self,
        encoder: str = MINILM,  # the text encoder's id on the Hub
        encoder_revision: str | None = None,  # branch, tag or commit
        encoder_config: dict[str, Any] | None = None,  # of an encoder that is fine-tuned, and so saved with the model
        pooling: Pooling = "mean",
        normalize: bool = True,  # whether embeddings are scaled to unit length before the head
        freeze_encoder: bool = True,  # a frozen one is not part of the checkpoint and comes by its id
        embedding_size: int = 384,  # D, the width of the encoder's embedding
        hidden_sizes: Sequence[int] = (512, 256),  # widths of the head's hidden layers
        dropout: float = 0.1,  # before every linear layer of the head, in 0..1
        space: Space = "weights",  # of the 51 scores
        **kwargs: Any,
    ) -> None:
        self.encoder = encoder
        self.encoder_revision = encoder_revision
        self.encoder_config = encoder_config
        self.pooling = check_pooling(pooling)
        self.normalize = normalize
        self.freeze_encoder = freeze_encoder
        self.embedding_size = embedding_size
        self.hidden_sizes = list(hidden_sizes)
        self.dropout = dropout
        self.space = check_space(space)
        super().__init__(**kwargs)


class ExpressionModel(GeneratorModel):
    """Description -> expression: encoder, pooling, and a head of linear layers with a sigmoid at its end.

    A frozen encoder is loaded by its id when first needed and never saved; a fine-tuned one is the submodule `encoder`.

    Example:
        >>> model = ExpressionModel(ExpressionConfig(hidden_sizes=[16]))
        >>> model(embeddings=torch.zeros(2, 384)).expressions.shape
        torch.Size([2, 51])
    """

    config_class = ExpressionConfig
    main_input_name = "embeddings"
    config: ExpressionConfig

    def __init__(self, config: ExpressionConfig) -> None:
        super().__init__(config)
        self.encoder: nn.Module | None = None
        self._tokenizer: Any = None
        if not config.freeze_encoder:
            if config.encoder_config is None:
                raise ValueError(
                    "a fine-tuned encoder needs its configuration: build with ExpressionModel.from_encoder"
                )
            # In the dtype in which this model is built, not in that of the encoder as it was before.
            settings = {name: value for name, value in config.encoder_config.items() if name not in _DTYPES}
            self.encoder = AutoModel.from_config(AutoConfig.for_model(**settings))
        self.head = _head(config)
        self.post_init()

    @classmethod
    def from_encoder(cls, encoder: str = MINILM, **settings: Any) -> ExpressionModel:
        """Build a model with a new head on a pretrained encoder, an id on the Hub or a local folder.

        Args:
            settings: further fields of `ExpressionConfig`; the encoder's own configuration and width are filled in.

        Raises:
            EncoderUnavailableError: the encoder cannot be loaded.
        """
        config = ExpressionConfig(encoder, **{**settings, "freeze_encoder": True})
        text_encoder = _text_encoder(config, "cpu")
        config.embedding_size = text_encoder.dimension
        config.freeze_encoder = settings.get("freeze_encoder", True)
        if config.freeze_encoder:
            return cls(config)
        config.encoder_config = text_encoder.model.config.to_dict()
        model = cls(config)
        model.encoder.load_state_dict(text_encoder.model.state_dict())  # type: ignore[union-attr]
        return model

    def forward(
        self,
        embeddings: torch.Tensor | None = None,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
    ) -> ExpressionOutput:
        """Map embeddings or tokens to expressions.

        Args:
            embeddings: (N, D), already normalised where the configuration says so.
            input_ids: (N, L) tokens of the encoder, instead of embeddings.
            attention_mask: (N, L), 1 for a token and 0 for padding.
            labels: (N, 51) expressions to learn, in the model's space.

        Raises:
            ValueError: neither or both of embeddings and tokens, or embeddings of a wrong width.
        """
        config = self.config
        if embeddings is None and input_ids is not None:
            with torch.set_grad_enabled(torch.is_grad_enabled() and not config.freeze_encoder):
                encoder = self.text_encoder().model if self.encoder is None else self.encoder
                embeddings = embed_tokens(encoder, input_ids, attention_mask, config.pooling, config.normalize)
        elif embeddings is None or input_ids is not None:
            raise ValueError("expected either embeddings or input_ids")
        self._check_width(embeddings)
        expressions = torch.sigmoid(self.head(embeddings.to(self.dtype)))
        loss = None if labels is None else nn.functional.mse_loss(expressions, labels.to(expressions))
        return ExpressionOutput(loss=loss, expressions=expressions)

    def text_encoder(self) -> TextEncoder:
        """The encoder with its tokenizer, on the model's device; see `load_text_encoder`."""
        if self.encoder is None:
            return _text_encoder(self.config, str(self.device))
        config = self.config
        with FROM_PRETRAINED:
            if self._tokenizer is None:
                source, revision = config.encoder, config.encoder_revision
                own = config.name_or_path
                if own and cached_file(own, "tokenizer_config.json", revision=self.revision, **_NO_ERRORS):
                    source, revision = own, self.revision  # saved beside the model
                try:
                    self._tokenizer = AutoTokenizer.from_pretrained(source, revision=revision)
                except OSError as error:
                    raise EncoderUnavailableError(unwritable_cache(error) or str(error)) from error
        return TextEncoder(self.encoder, self._tokenizer, pooling=config.pooling, normalize=config.normalize)

    def generate(self, descriptions: Sequence[str], batch_size: int = 64, *, space: Space | None = None) -> np.ndarray:
        """Generate one expression for every description.

        In the space of weights mouthClose is limited to jawOpen: the unit only corrects an open jaw, and alone pulls
        the lips through each other. `forward` is left as the head says, so that losses and converted models are exact.

        Args:
            descriptions: N texts; one beyond the encoder's window loses its end, with a warning.
            batch_size: descriptions per pass.
            space: of the answer, that of the model by default. Otherwise weights become the readings expected of anny's
                "adult", or readings become weights; see `emo3d.face.calibration`.

        Returns:
            (N, 51) float32 in 0..1, order `BLENDSHAPES`, in `space`.

        Raises:
            ValueError: no descriptions, or one that is blank; the message names the row. An unknown space.
            EncoderUnavailableError: the encoder cannot be loaded.
        """
        with self._generating(space) as answer:
            embeddings = embeddings_of(self.text_encoder().encode(descriptions, batch_size))
            return answer(self(embeddings=embeddings).expressions)


def _text_encoder(config: ExpressionConfig, device: str) -> TextEncoder:
    return load_text_encoder(
        config.encoder, config.encoder_revision, pooling=config.pooling, normalize=config.normalize, device=device
    )


def _head(config: ExpressionConfig) -> nn.Sequential:
    widths = [config.embedding_size, *config.hidden_sizes]
    layers: list[nn.Module] = [nn.LayerNorm(config.embedding_size)]  # unit-length embeddings are tiny per component
    for before, after in pairwise(widths):
        layers += [nn.Dropout(config.dropout), nn.Linear(before, after), nn.GELU()]
    return nn.Sequential(*layers, nn.Dropout(config.dropout), nn.Linear(widths[-1], len(BLENDSHAPES)))
