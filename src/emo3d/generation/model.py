"""The generator as a transformers model: a text encoder, and a head that ends in 51 sigmoid scores, or in proposals."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer
from transformers.utils import cached_file

from emo3d.blendshapes import BLENDSHAPES, Space, check_space
from emo3d.descriptions import warn_of_notes
from emo3d.encoders import (
    MINILM,
    EncoderUnavailableError,
    Pooling,
    TextEncoder,
    check_pooling,
    embed_tokens,
)
from emo3d.generation.base import ExpressionOutput, GeneratorConfig, GeneratorModel, check_sequences, embeddings_of
from emo3d.hints import unwritable_cache
from emo3d.instructions import apply_instructions, interpret
from emo3d.loading import FROM_PRETRAINED
from emo3d.multilingual import load_encoder
from emo3d.proposals import (
    add_strength,
    check_strength,
    draw_proposals,
    join_proposals,
    leave_rest,
    mixture_loss,
    read_proposals,
)

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
        # Layer of a frozen encoder -> outputs, rank and inputs of a low-rank change to it, which the checkpoint holds.
        adapter: dict[str, list[int]] | None = None,
        embedding_size: int = 384,  # D, the width of the encoder's embedding
        hidden_sizes: Sequence[int] = (512, 256),  # widths of the head's hidden layers
        dropout: float = 0.1,  # before every linear layer of the head, in 0..1
        proposals: int = 1,  # K expressions that the head proposes; of several, each has a share
        spread: float = 0.3,  # standard deviation of the weights around a proposal, by which several are learnt
        focus: float = 1.0,  # exponent of the shares: 1 answers with the mean of the proposals, more with the likeliest
        gain: float = 1.0,  # of the answer's length, fitted after training
        takes_strength: bool = False,  # whether the head knows how strongly the description is to be acted
        reads_instructions: bool = False,  # whether movements that a description names are read by rule
        space: Space = "weights",  # of the 51 scores
        **kwargs: Any,
    ) -> None:
        self.encoder = encoder
        self.encoder_revision = encoder_revision
        self.encoder_config = encoder_config
        self.pooling = check_pooling(pooling)
        self.normalize = normalize
        self.freeze_encoder = freeze_encoder
        self.adapter = adapter
        self.embedding_size = embedding_size
        self.hidden_sizes = list(hidden_sizes)
        self.dropout = dropout
        self.proposals = proposals
        self.spread = spread
        self.focus = focus
        self.gain = gain
        self.takes_strength = takes_strength
        self.reads_instructions = reads_instructions
        self.space = check_space(space)
        super().__init__(**kwargs)


class ExpressionModel(GeneratorModel):
    """Description -> expression: encoder, pooling, and a head of linear layers with a sigmoid at its end.

    A head of K proposals is a mixture density network (Bishop 1994); `emo3d.proposals` says what it answers. An adapter
    changes the layers of a frozen encoder by products of two thin matrices (LoRA; Hu et al. 2021).

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
        self.adapter = nn.ParameterDict()
        for name, (outputs, rank, inputs) in (config.adapter or {}).items():
            key = name.replace(".", "-")
            self.adapter[f"{key}-out"] = nn.Parameter(torch.zeros(outputs, rank))  # so that nothing is changed at first
            self.adapter[f"{key}-in"] = nn.Parameter(torch.randn(rank, inputs) / inputs**0.5)
        self._adapted: tuple[Any, TextEncoder] | None = None
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
        strength: torch.Tensor | None = None,
    ) -> ExpressionOutput:
        """Map embeddings or tokens to expressions.

        Args:
            embeddings: (N, D), already normalised where the configuration says so.
            input_ids: (N, L) tokens of the encoder, instead of embeddings.
            attention_mask: (N, L), 1 for a token and 0 for padding.
            labels: (N, 51) expressions to learn, in the model's space.
            strength: (N,) how strongly to act, 0..1.5, 1 by default; for a head that takes it.

        Raises:
            ValueError: neither or both of embeddings and tokens, or embeddings of a wrong width.
        """
        config = self.config
        if embeddings is None and input_ids is not None:
            embeddings = self.embed(input_ids, attention_mask)
        elif embeddings is None or input_ids is not None:
            raise ValueError("expected either embeddings or input_ids")
        self._check_width(embeddings)
        output = self._answer(embeddings, strength, labels)
        if config.takes_strength and strength is not None and not self.training:
            at_rest = self._answer(embeddings, torch.zeros_like(strength))
            for name in {"expressions", "proposals"} & output.keys():
                output[name] = leave_rest(output[name], at_rest[name], strength)
        return output

    def _answer(self, embeddings: torch.Tensor, strength: Any, labels: Any = None) -> ExpressionOutput:
        config, features = self.config, embeddings.to(self.dtype)
        if config.takes_strength:
            features = add_strength(features, torch.ones(len(features)) if strength is None else strength)
        scores = self.head(features)
        if config.proposals == 1:
            answers = torch.sigmoid(scores)
            loss = None if labels is None else nn.functional.mse_loss(answers, labels.to(answers))
            return ExpressionOutput(loss=loss, expressions=answers)
        log_shares, proposals = read_proposals(scores, config.proposals)
        loss = None if labels is None else mixture_loss(log_shares, proposals, labels.to(proposals), config.spread)
        expressions, shares = join_proposals(log_shares, proposals, config.focus, config.gain)
        return ExpressionOutput(loss=loss, expressions=expressions, proposals=proposals, shares=shares)

    def embed(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None) -> torch.Tensor:
        """Embed tokens (N, L) of the encoder: (N, D), with gradients where the encoder or its adapter learns."""
        config = self.config
        learns = not config.freeze_encoder or bool(config.adapter)
        with torch.set_grad_enabled(torch.is_grad_enabled() and learns):
            encoder = self._adapted_encoder() if self.encoder is None else self.encoder
            return embed_tokens(encoder, input_ids, attention_mask, config.pooling, config.normalize)

    def text_encoder(self) -> TextEncoder:
        """The encoder with its tokenizer, on the model's device; see `load_encoder`."""
        if self.encoder is None:
            encoder = _text_encoder(self.config, str(self.device))
            return self._adapt(encoder) if self.config.adapter else encoder
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

    def _adapter_weights(self, model: nn.Module) -> dict[str, torch.Tensor]:
        """Weights of the layers that the adapter changes, by their names in the encoder's model."""
        weights = {}
        for name in self.config.adapter or ():
            out, into = (self.adapter[f"{name.replace('.', '-')}-{side}"].float() for side in ("out", "in"))
            weights[f"{name}.weight"] = model.get_submodule(name).weight + out @ into
        return weights

    def _adapted_encoder(self) -> Callable[..., Any]:
        """The frozen encoder's model with the adapter, which gets gradients."""
        model = _text_encoder(self.config, str(self.device)).model
        weights = self._adapter_weights(model)
        return lambda **tokens: torch.func.functional_call(model, weights, (), tokens)

    def _adapt(self, encoder: TextEncoder) -> TextEncoder:
        """A copy of the frozen encoder with the adapter in it, kept as long as neither changes."""
        key = (id(encoder), sum(matrix._version for matrix in self.adapter.values()))
        if self._adapted is None or self._adapted[0] != key:
            model = copy.deepcopy(encoder.model)
            with torch.no_grad():
                model.load_state_dict(self._adapter_weights(model), strict=False)
            copied = TextEncoder(model, encoder.tokenizer, pooling=encoder.pooling, normalize=encoder.normalize)
            self._adapted = key, copied
        return self._adapted[1]

    def generate(
        self,
        descriptions: Sequence[str],
        batch_size: int = 64,
        *,
        strength: float = 1.0,
        num_return_sequences: int = 1,
        seed: int = 0,
        space: Space | None = None,
    ) -> np.ndarray:
        """Generate one expression for every description, or several.

        In the space of weights mouthClose is limited to jawOpen: the unit only corrects an open jaw, and alone pulls
        the lips through each other. `forward` is left as the head says, so that losses and converted models are exact.

        Args:
            descriptions: N texts; one beyond the encoder's window loses its end, with a warning.
            batch_size: descriptions per pass.
            strength: how strongly to act, from 0 (at rest) to 1.5; other than 1 for a model that learnt it.
            num_return_sequences: S expressions of each. The first is the answer of a single one, the others are drawn
                from what the model proposes; all rows are drawn by the same numbers.
            seed: of the draw.
            space: of the answer, that of the model by default. Otherwise weights become the readings expected of anny's
                "adult", or readings become weights; see `emo3d.face.calibration`.

        Returns:
            (N, 51) for one expression of each, (N, S, 51) for several; float32 in 0..1, order `BLENDSHAPES`.

        Raises:
            ValueError: no descriptions, or one that is blank; the message names the row. An unknown space, a strength
                out of range, or several expressions of a model that knows one.
            EncoderUnavailableError: the encoder cannot be loaded.
        """
        config = self.config
        check_strength(strength, config.takes_strength)
        check_sequences(num_return_sequences)
        if num_return_sequences > 1 and config.proposals == 1:
            expected = "of 1, since this model proposes one expression"
            raise ValueError(f"expected num_return_sequences {expected}, got {num_return_sequences}")
        readings = interpret(descriptions, config.reads_instructions)
        warn_of_notes([reading.notes for reading in readings])
        spoken = [row for row, reading in enumerate(readings) if reading.rest]
        faces = torch.zeros(len(readings), num_return_sequences, len(BLENDSHAPES), dtype=torch.float32)
        with self._generating(space) as answer:
            if spoken:
                texts = self.text_encoder().encode([readings[row].rest for row in spoken], batch_size)
                embeddings = embeddings_of(replace(texts, foreign=tuple(spoken[row] for row in texts.foreign)))
                output = self(embeddings=embeddings, strength=torch.full((len(spoken),), float(strength)))
                answers = (output.expressions, output.proposals, output.shares)
                faces[spoken] = draw_proposals(*answers, num_return_sequences, seed).float().cpu()
            for row, reading in enumerate(readings):
                for face in faces[row] if reading.instructions else ():
                    face[:] = torch.from_numpy(apply_instructions(face.numpy(), reading.instructions, strength))
            expressions = answer(faces.flatten(end_dim=1)).reshape(*faces.shape)
        return expressions[:, 0] if num_return_sequences == 1 else expressions

    def explain(self, descriptions: Sequence[str], least: float = 0.1) -> list[dict[str, Any]]:
        """Say which words of each description moved which blendshapes.

        Args:
            descriptions: N texts.
            least: change of a weight from which on it is listed.

        Returns:
            For each description its `Interpretation` as a dictionary (`instructions`, `rest`, `notes`), and `words`:
            for every word of the rest, blendshape -> by how much the answer is higher than without the word, but for
            those that an instruction sets.
        """
        readings = interpret(descriptions, self.config.reads_instructions)
        explanations: list[dict[str, Any]] = [reading.to_dict() | {"words": []} for reading in readings]
        words = [(row, place) for row, reading in enumerate(readings) for place in range(len(reading.rest.split()))]
        texts = [" ".join((rest := readings[row].rest.split())[:place] + rest[place + 1 :]) for row, place in words]
        with self._generating(None) as answer:
            spoken = list(dict.fromkeys([*(readings[row].rest for row, _ in words), *filter(None, texts)]))
            if not spoken:
                return explanations
            faces = answer(self(embeddings=self.text_encoder().encode(spoken).embeddings).expressions)
        face_of = {"": np.zeros(len(BLENDSHAPES))} | dict(zip(spoken, faces, strict=True))
        for (row, place), text in zip(words, texts, strict=True):
            change = face_of[readings[row].rest] - face_of[text]
            told = {name for instruction in readings[row].instructions for name in instruction.weights}
            moved = [i for i in np.argsort(-abs(change)) if abs(change[i]) >= least and BLENDSHAPES[i] not in told]
            weights = {BLENDSHAPES[index]: round(float(change[index]), 3) for index in moved}
            explanations[row]["words"].append({"word": readings[row].rest.split()[place], "weights": weights})
        return explanations


def _text_encoder(config: ExpressionConfig, device: str) -> TextEncoder:
    options: dict[str, Any] = {"pooling": config.pooling, "normalize": config.normalize, "device": device}
    return load_encoder(config.encoder, config.encoder_revision, **options)


def _head(config: ExpressionConfig) -> nn.Sequential:
    features = config.embedding_size + config.takes_strength
    scores = len(BLENDSHAPES) if config.proposals == 1 else config.proposals * (1 + len(BLENDSHAPES))
    layers: list[nn.Module] = [nn.LayerNorm(features)]  # unit-length embeddings are tiny per component
    for before, after in pairwise([features, *config.hidden_sizes]):
        layers += [nn.Dropout(config.dropout), nn.Linear(before, after), nn.GELU()]
    width = config.hidden_sizes[-1] if config.hidden_sizes else features
    return nn.Sequential(*layers, nn.Dropout(config.dropout), nn.Linear(width, scores))
