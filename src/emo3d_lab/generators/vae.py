"""The published VAE-CLIP: a variational autoencoder of expressions whose latents point where CLIP's embeddings do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cosine_similarity, mse_loss

from emo3d.blendshapes import BLENDSHAPES, Space
from emo3d.generation.base import ExpressionOutput, check_sequences
from emo3d_lab.generators.clip import BackboneConfig, BackboneModel


class VaeClipConfig(BackboneConfig):
    """What a `VaeClipModel` is made of; the defaults are the published baseline, but for `dropout`.

    The latent is as wide as the backbone's embeddings, `embedding_size`, since embeddings are decoded. The loss binds
    the direction of latents, not their length, so embeddings much shorter than latents (of unit length, say) give faces
    that hardly differ, unless `embedding_scale` multiplies them before they are decoded. Nor does it ever decode an
    embedding: `decoded_weight` adds that term, which is not published.
    """

    model_type = "emo3d-vae-clip"

    def __init__(
        self,
        hidden_size: int = 256,  # of encoder and decoder
        dropout: float = 0.1,  # in the decoder, in 0..1; the checkpoint does not tell the published one
        text_weight: float = 0.004,  # of the term that turns latents towards the embeddings of descriptions
        picture_weight: float = 0.002,  # of the term that turns them towards those of pictures
        embedding_scale: float = 1.0,
        decoded_weight: float = 0.0,  # of the errors of expressions decoded from embeddings
        **kwargs: Any,
    ) -> None:
        self.hidden_size = hidden_size
        self.dropout = dropout
        self.text_weight = text_weight
        self.picture_weight = picture_weight
        self.embedding_scale = embedding_scale
        self.decoded_weight = decoded_weight
        super().__init__(**kwargs)


@dataclass
class VaeClipOutput(ExpressionOutput):
    """What `VaeClipModel.forward` returns; `loss` is the weighted sum of the terms."""

    latent: torch.Tensor | None = None  # (N, D), sampled while training, the mean otherwise
    terms: dict[str, torch.Tensor] | None = None  # before weighting: "mse", "text" ..., "text_decoded" ...


class VaeClipModel(BackboneModel):
    """Expression -> latent -> expression in training; the embedding of a description or picture -> expression in use.

    VAE-CLIP of Dehghani et al. 2025 (arXiv 2410.02049), with the names of its released state dict and its loss,
    MSE + 0.004 (1 - cos(z, text)) + 0.002 (1 - cos(z, picture)); there is no KL term. `decoded_weight` is ours.

    Example:
        >>> model = VaeClipModel(VaeClipConfig()).eval()
        >>> model(torch.rand(2, 51), text_embeddings=torch.randn(2, 512)).latent.shape
        torch.Size([2, 512])
    """

    config_class = VaeClipConfig
    main_input_name = "labels"
    config: VaeClipConfig

    def __init__(self, config: VaeClipConfig) -> None:
        super().__init__(config)
        scores, width, latent = len(BLENDSHAPES), config.hidden_size, config.embedding_size
        self.encoder = nn.Sequential(nn.Linear(scores, width), nn.ReLU())
        self.fc_mu = nn.Linear(width, latent)
        self.fc_logvar = nn.Linear(width, latent)
        self.decoder = nn.Sequential(
            nn.Linear(latent, width), nn.ReLU(), nn.Dropout(config.dropout), nn.Linear(width, scores), nn.Sigmoid()
        )
        self.post_init()

    def forward(
        self,
        labels: torch.Tensor,
        text_embeddings: torch.Tensor | None = None,
        picture_embeddings: torch.Tensor | None = None,
    ) -> VaeClipOutput:
        """Encode and decode expressions.

        Args:
            labels: (N, 51) expressions, in the model's space.
            text_embeddings: (N, D) of their descriptions; without them their term is left out of the loss.
            picture_embeddings: (N, D) of their pictures, likewise.
        """
        labels = labels.to(self.dtype)
        states = self.encoder(labels)
        latent = self.fc_mu(states)
        if self.training:
            latent = latent + torch.exp(0.5 * self.fc_logvar(states)) * torch.randn_like(latent)
        expressions = self.decoder(latent)
        terms = {"mse": mse_loss(expressions, labels)}
        loss = terms["mse"]
        for name, embeddings, weight in (
            ("text", text_embeddings, self.config.text_weight),
            ("picture", picture_embeddings, self.config.picture_weight),
        ):
            if embeddings is not None:
                self._check_width(embeddings)
                terms[name] = 1 - cosine_similarity(latent, embeddings.to(latent)).mean()
                loss = loss + weight * terms[name]
                if self.config.decoded_weight:
                    decoded = self.decoder(self.config.embedding_scale * embeddings.to(latent))
                    terms[f"{name}_decoded"] = mse_loss(decoded, labels)
                    loss = loss + self.config.decoded_weight * terms[f"{name}_decoded"]
        return VaeClipOutput(loss=loss, expressions=expressions, latent=latent, terms=terms)

    def generate(
        self,
        descriptions: Sequence[str] | None = None,
        pictures: Sequence[Any] | np.ndarray | None = None,
        batch_size: int = 64,
        *,
        num_return_sequences: int = 1,
        temperature: float = 0.5,
        seed: int = 0,
        space: Space | None = None,
    ) -> np.ndarray:
        """Generate expressions for every description, or for every picture.

        The first of several samples decodes the embedding itself, as published. The others decode it with Gaussian
        noise added, `temperature` times as long as the embedding on average, whatever its length: the variances that
        the encoder learns are no measure, since without a KL term nothing keeps them from 0. All rows get the same
        noise, so that a description's samples do not depend on its neighbours.

        Args:
            descriptions, pictures, batch_size: see `embed`.
            num_return_sequences: S, samples of each.
            temperature: length of the noise over that of the embedding, 0 or more.
            seed: of the noise.
            space: see `ExpressionModel.generate`.

        Returns:
            (N, 51) for one sample of each, (N, S, 51) for several; float32 in 0..1, order `BLENDSHAPES`.
        """
        check_sequences(num_return_sequences)
        if not temperature >= 0:
            raise ValueError(f"expected a temperature of 0 or more, got {temperature}")
        with self._generating(space) as answer:
            embeddings = self.config.embedding_scale * self.embed(descriptions, pictures, batch_size)
            self._check_width(embeddings)
            shape = (num_return_sequences, self.config.embedding_size)
            noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(embeddings)
            noise[0] = 0
            spread = temperature * embeddings.square().mean(dim=1).sqrt()  # of one component
            latent = embeddings[:, None] + spread[:, None, None] * noise
            scores = answer(self.decoder(latent.flatten(end_dim=1).to(self.dtype)))
        return scores if num_return_sequences == 1 else scores.reshape(len(embeddings), -1, len(BLENDSHAPES))
