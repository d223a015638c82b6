"""A learnt generator of clips: tokens of a frozen text encoder, and a transformer that turns noise into motion."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn.functional import grid_sample, mse_loss, pad
from transformers.utils import ModelOutput

from emo3d.blendshapes import BLENDSHAPES, Space, check_space, limit_mouth_close
from emo3d.clips import CHANNELS, ROTATIONS, Clip, check_rate
from emo3d.descriptions import advise, check_descriptions, foreign_rows, warn_of
from emo3d.encoders import MINILM, TextEncoder, call_tokenizer, load_text_encoder
from emo3d.generation.base import GeneratorConfig, GeneratorModel
from emo3d.multilingual import MULTILINGUAL
from emo3d.numerics import fixed_numerics
from emo3d.ranges import real_number, whole_number

_UNITS = len(CHANNELS) - len(ROTATIONS)
_WAVES = 16  # pairs of sine and cosine that say where in the clip, or in the flow, something is


class ClipModelConfig(GeneratorConfig):
    """What a `ClipModel` is made of.

    Raises:
        ValueError: a number out of its range, or an encoder of whole texts; the message names it.
    """

    model_type = "emo3d-clip-model"

    def __init__(
        self,
        encoder: str = MINILM,  # the text encoder's id on the Hub, or a folder; frozen, so no part of the checkpoint
        encoder_revision: str | None = None,  # branch, tag or commit
        embedding_size: int = 384,  # D, the width of the encoder's token states
        frame_rate: float = 20.0,  # frames per second inside; answers are resampled
        patch: int = 4,  # frames that are one place of the transformer
        width: int = 96,
        layers: int = 4,
        heads: int = 4,
        dropout: float = 0.1,
        free_share: float = 0.1,  # of training rows that are learnt without their text, for `guidance`
        guidance: float = 1.5,  # 1 answers as learnt; more goes further from what comes without a text
        steps: int = 10,  # of the flow from noise to motion
        speed_weight: float = 1.0,  # in the loss, of the error of changes from frame to frame
        longest: float = 12.0,  # seconds of a clip
        space: Space = "weights",  # of the 51 scores
        **kwargs: Any,
    ) -> None:
        if encoder == MULTILINGUAL:
            raise ValueError(f"expected an encoder whose tokens have states, {encoder} embeds whole texts only")
        self.encoder = encoder
        self.encoder_revision = encoder_revision
        self.embedding_size = _positive("embedding_size", embedding_size)
        self.frame_rate = check_rate(frame_rate)
        self.patch = _positive("patch", patch)
        self.width = _positive("width", width)
        self.layers = _positive("layers", layers)
        self.heads = _positive("heads", heads)
        self.dropout = _share("dropout", dropout)
        self.free_share = _share("free_share", free_share)
        self.guidance = real_number("guidance", guidance)
        self.steps = _positive("steps", steps)
        self.speed_weight = real_number("speed_weight", speed_weight)
        self.longest = real_number("longest", longest)
        self.space = check_space(space)
        if self.width % self.heads:
            raise ValueError(f"expected a width that is a multiple of the {heads} heads, got {width}")
        if not 0 < self.longest <= 600:
            raise ValueError(f"expected longest of 600 seconds at most, got {longest:g}")
        super().__init__(**kwargs)

    def save_pretrained(self, save_directory: str | os.PathLike, push_to_hub: bool = False, **kwargs: Any) -> None:
        """Write `config.json`, and the code that loads the model without this package; see `PretrainedConfig`."""
        if self._is_packaged():
            from emo3d.generation.portable import write_code

            config, model = write_code(save_directory, type(self), ClipModel)
            self.auto_map = {"AutoConfig": config, "AutoModel": model}
        # Not the one of `GeneratorConfig`: no pipeline of transformers gives clips.
        super(GeneratorConfig, self).save_pretrained(save_directory, push_to_hub, **kwargs)


@dataclass
class ClipOutput(ModelOutput):
    """What `ClipModel.forward` returns."""

    loss: torch.Tensor | None = None  # a scalar
    frames: torch.Tensor | None = None  # (N, T, 61) as the network sees them behind the noise


class ClipModel(GeneratorModel):
    """Description -> clip: noise that flows to motion in a few steps, led by the tokens of the description.

    Frames, each channel scaled by its own spread in the training data, are learnt by flow matching (Lipman et al. 2023,
    arXiv 2210.02747) on straight paths: of `(1 - t) noise + t frames` a transformer predicts the frames. It attends to
    the token states of a frozen encoder, so it sees the order of words; length and time are inputs, too. With a share
    of rows learnt without text, `guidance` is classifier-free (Ho and Salimans 2022, arXiv 2207.12598).

    Example:
        >>> model = ClipModel(ClipModelConfig(embedding_size=8, width=16, layers=1))
        >>> model(torch.zeros(2, 3, 8), torch.ones(2, 3), torch.zeros(2, 40, 61), torch.tensor([40, 30])).frames.shape
        torch.Size([2, 40, 61])
    """

    config_class = ClipModelConfig
    main_input_name = "states"
    config: ClipModelConfig
    mean: torch.Tensor
    spread: torch.Tensor

    def __init__(self, config: ClipModelConfig) -> None:
        super().__init__(config)
        width, numbers = config.width, config.patch * len(CHANNELS)
        self.register_buffer("mean", torch.zeros(len(CHANNELS)))  # of the training frames
        self.register_buffer("spread", torch.ones(len(CHANNELS)))
        self.text = nn.Sequential(nn.LayerNorm(config.embedding_size), nn.Linear(config.embedding_size, width))
        self.nothing = nn.Parameter(torch.zeros(width))  # instead of a text
        self.state = nn.Sequential(nn.Linear(4 * _WAVES + width, width), nn.GELU(), nn.Linear(width, width))
        self.place = nn.Linear(4 * _WAVES, width)
        self.enter = nn.Linear(numbers, width)
        options: dict[str, Any] = {"activation": "gelu", "batch_first": True, "norm_first": True}
        self.blocks = nn.ModuleList(
            nn.TransformerDecoderLayer(width, config.heads, 4 * width, config.dropout, **options)
            for _ in range(config.layers)
        )
        self.leave = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, numbers))
        inputs = config.embedding_size + 1
        self.duration = nn.Sequential(nn.LayerNorm(inputs), nn.Linear(inputs, width), nn.GELU(), nn.Linear(width, 1))
        self.post_init()

    def _init_weights(self, module: nn.Module) -> None:
        """PyTorch's own first values are kept."""

    @classmethod
    def from_encoder(cls, encoder: str = MINILM, **settings: Any) -> ClipModel:
        """Build an untrained model on a text encoder, an id on the Hub or a local folder.

        Args:
            settings: further fields of `ClipModelConfig`; the encoder's width is filled in.

        Raises:
            EncoderUnavailableError: the encoder cannot be loaded.
        """
        text_encoder = load_text_encoder(encoder, settings.get("encoder_revision"))
        return cls(ClipModelConfig(encoder, **{**settings, "embedding_size": text_encoder.dimension}))

    def forward(
        self, states: torch.Tensor, mask: torch.Tensor, labels: torch.Tensor, lengths: torch.Tensor
    ) -> ClipOutput:
        """The loss of clips: noise is mixed into them, and taken out again.

        In evaluation the mixture is drawn from a fixed seed, so that losses can be compared.

        Args:
            states: (N, L, D) token states of the encoder; `mask` (N, L) is 1 for a token and 0 for padding.
            labels: (N, T, 61) frames at the model's `frame_rate`, order `CHANNELS`, in its space; T a multiple of
                `patch`.
            lengths: (N,) frames of each that are no padding.
        """
        generator = None if self.training else torch.Generator(labels.device).manual_seed(0)
        options: dict[str, Any] = {"generator": generator, "device": labels.device}
        frames = (labels.to(self.dtype) - self.mean) / self.spread
        time = torch.rand(len(frames), **options)
        noise = torch.randn(frames.shape, **options)
        texts = self._texts(states, mask)
        if self.training:
            texts = self._without(texts, torch.rand(len(frames), **options) < self.config.free_share)
        guess = self._denoise(noise.lerp(frames, time[:, None, None]), time, lengths, texts)
        inside = self._inside(lengths, frames.shape[1])
        weights = inside[..., None] / (inside.sum() * len(CHANNELS))
        errors = guess - frames
        loss = (weights * errors.square()).sum()
        loss = loss + self.config.speed_weight * (weights[:, 1:] * errors.diff(dim=1).square()).sum()
        logarithms = torch.log(lengths / self.config.frame_rate)
        loss = loss + 0.1 * mse_loss(self._seconds(states, mask).log(), logarithms.to(loss))
        return ClipOutput(loss=loss, frames=guess * self.spread + self.mean)

    def generate(
        self,
        texts: Sequence[str],
        *,
        seconds: float | None = None,
        rate: float = 30.0,
        seed: int = 0,
        batch_size: int = 16,
    ) -> list[Clip]:
        """Generate a clip for every description, without beats: nobody says where they lie.

        Scores end in 0..1 by a clamp, as a sigmoid would end them, and mouthClose at jawOpen, as in stills. All texts
        get the same noise, so that a clip does not depend on its neighbours beyond rounding (1e-4).

        Args:
            texts: N descriptions; one beyond the encoder's window loses its end, with a warning.
            seconds: of every clip, up to the configuration's `longest`; None takes what the model expects of each.
            rate: frames per second of the answer, 1..240; the model's own frames are joined by cubics.
            seed: of the noise; the same one gives the same clips on one machine.
            batch_size: descriptions per pass, 1 or more.

        Raises:
            ValueError: no descriptions, a blank one, seconds, a rate, a seed or a batch size out of range.
            EncoderUnavailableError: the encoder cannot be loaded.
        """
        config, texts, rate = self.config, check_descriptions(texts), check_rate(rate)
        seed, batch_size = _positive("seed", seed, 0), _positive("batch_size", batch_size)
        if seconds is not None and not 1 / rate <= (seconds := real_number("seconds", seconds)) <= config.longest:
            raise ValueError(
                f"expected a frame to {config.longest:g} s, the longest clips that this model makes, got {seconds:g} s"
            )
        order, clips = sorted(range(len(texts)), key=lambda row: -len(texts[row])), [None] * len(texts)
        with self._generating(None):
            self._warn(texts)
            for start in range(0, len(order), batch_size):
                rows = order[start : start + batch_size]
                for row, clip in zip(rows, self._batch([texts[row] for row in rows], seconds, rate, seed), strict=True):
                    clips[row] = clip  # type: ignore[call-overload]
        return clips  # type: ignore[return-value]

    def embed(self, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Token states (N, L, D) float32 of descriptions and their mask (N, L), by the frozen encoder."""
        tokens = (encoder := self.text_encoder()).tokenize(texts)
        with torch.no_grad(), fixed_numerics(self.device):
            states = encoder.model(**tokens).last_hidden_state.float()
        mask = tokens.get("attention_mask")
        return states, torch.ones(states.shape[:2], device=states.device) if mask is None else mask

    def text_encoder(self) -> TextEncoder:
        """The frozen encoder with its tokenizer, on the model's device."""
        return load_text_encoder(self.config.encoder, self.config.encoder_revision, device=str(self.device))

    def _warn(self, texts: list[str]) -> None:
        encoder = self.text_encoder()
        tokens = call_tokenizer(encoder.tokenizer, texts, verbose=False)["input_ids"]
        foreign = foreign_rows(texts, tokens, encoder.tokenizer)
        truncated = sum(len(ids) > encoder.max_length for ids in tokens)
        warn_of(len(texts), truncated, foreign, advice=advise(texts[row] for row in foreign))

    def _batch(self, texts: list[str], seconds: float | None, rate: float, seed: int) -> list[Clip]:
        config = self.config
        states, mask = self.embed(texts)
        durations = [seconds] * len(texts) if seconds else self._seconds(states, mask).clamp(1, config.longest).tolist()
        lengths = torch.tensor([max(1, round(value * config.frame_rate)) for value in durations], device=self.device)
        frames = self._flow(self._texts(states, mask), lengths, seed) * self.spread + self.mean
        clips = []
        for text, motion, length, duration in zip(texts, frames, lengths.tolist(), durations, strict=True):
            table = _resample(motion[:length], config.frame_rate, rate, max(1, round(duration * rate)))
            table[:, :_UNITS] = table[:, :_UNITS].clamp(0, 1)
            values = table.clamp(-math.pi, math.pi).cpu().numpy()
            if config.space == "weights":
                limit_mouth_close(values[:, : len(BLENDSHAPES)])
            clips.append(Clip(values, rate, config.space, (), text))
        return clips

    def _flow(self, texts: tuple[torch.Tensor, torch.Tensor], lengths: torch.Tensor, seed: int) -> torch.Tensor:
        """Scaled frames (N, T, 61) from noise, by Euler's steps along the flow."""
        config, count = self.config, len(lengths)
        most = math.ceil(config.longest * config.frame_rate / config.patch) * config.patch
        noise = torch.randn(most, len(CHANNELS), generator=torch.Generator().manual_seed(seed))
        length = math.ceil(int(lengths.max()) / config.patch) * config.patch
        frames = noise[:length].to(self.mean).expand(count, -1, -1)
        if guided := config.guidance != 1:
            free = self._without(texts, torch.ones(count, dtype=torch.bool, device=lengths.device))
            texts = torch.cat([texts[0], free[0]]), torch.cat([texts[1], free[1]])
            lengths = torch.cat([lengths, lengths])
        for step in range(config.steps):
            time = torch.full((len(lengths),), step / config.steps, device=frames.device)
            guess = self._denoise(frames.repeat(1 + guided, 1, 1), time, lengths, texts)
            if guided:
                guess = guess[count:] + config.guidance * (guess[:count] - guess[count:])
            frames = frames + (guess - frames) / (config.steps - step)
        return frames

    def _denoise(
        self, frames: torch.Tensor, time: torch.Tensor, lengths: torch.Tensor, texts: tuple[torch.Tensor, torch.Tensor]
    ) -> torch.Tensor:
        """Frames (N, T, 61) behind the noise at `time` (N,), 0 for nothing but noise."""
        config = self.config
        count, length, channels = frames.shape
        places = self.enter(frames.reshape(count, -1, config.patch * channels))
        seconds = torch.arange(places.shape[1], device=frames.device) * (config.patch / config.frame_rate)
        durations = lengths[:, None] / config.frame_rate
        where = [_waves(seconds.expand(count, -1), 8 / config.longest), _waves(seconds / durations, 1.0)]
        vectors, padding = texts
        amount = (~padding).sum(1, keepdim=True)
        pooled = (vectors * ~padding[..., None]).sum(1) / amount
        state = self.state(torch.cat([_waves(time, 1.0), _waves(durations[:, 0].log(), 1.0), pooled], -1))[:, None]
        places = places + self.place(torch.cat(where, -1)) + state
        memory, hidden = torch.cat([state, vectors], 1), pad(padding, (1, 0))
        outside = ~self._inside(lengths, length)[:, :: config.patch]
        for block in self.blocks:
            places = block(places, memory, tgt_key_padding_mask=outside, memory_key_padding_mask=hidden)
        return self.leave(places).reshape(count, length, channels)

    def _texts(self, states: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if states.shape[-1] != self.config.embedding_size:
            raise ValueError(f"expected token states of {self.config.embedding_size} numbers, got {states.shape[-1]}")
        return self.text(states.to(self.dtype)), ~mask.bool()

    def _without(self, texts: tuple[torch.Tensor, torch.Tensor], free: torch.Tensor) -> Any:
        """Texts, but nothing in the rows that are free of it."""
        vectors, padding = texts
        first = torch.arange(vectors.shape[1], device=free.device) == 0
        vectors = torch.where(free[:, None, None], self.nothing, vectors)
        return vectors, torch.where(free[:, None], ~first, padding)

    def _seconds(self, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """What a clip of each text lasts: of the mean of its tokens, and how many they are."""
        weights = mask.to(self.dtype)[..., None]
        amount = weights.sum(1)
        pooled = (states.to(self.dtype) * weights).sum(1) / amount
        return self.duration(torch.cat([pooled, amount.log()], -1))[:, 0].clamp(-3, 6).exp()

    @staticmethod
    def _inside(lengths: torch.Tensor, most: int) -> torch.Tensor:
        return torch.arange(most, device=lengths.device) < lengths[:, None]


def _waves(values: torch.Tensor, lowest: float) -> torch.Tensor:
    """Sines and cosines (..., 32) of numbers, at frequencies from `lowest` / 2 up by a quarter more each time."""
    angles = values[..., None] * (torch.pi * lowest * 1.25 ** torch.arange(_WAVES, device=values.device))
    return torch.cat([angles.sin(), angles.cos()], -1)


def _resample(frames: torch.Tensor, before: float, after: float, count: int) -> torch.Tensor:
    """Frames (T, C) at a rate as (count, C) at another, by cubics; the last one is held."""
    places = (torch.arange(count, device=frames.device) * (before / after)).clamp(max=len(frames) - 1)
    across = places * (2 / max(len(frames) - 1, 1)) - 1
    grid = torch.stack([across, torch.zeros_like(across)], -1)[None, None]
    return grid_sample(frames.T[None, :, None].float(), grid, "bicubic", padding_mode="border", align_corners=True)[
        0, :, 0
    ].T


def _positive(name: str, value: Any, least: int = 1) -> int:
    if not least <= (number := whole_number(name, value)) < 2**63:
        raise ValueError(f"expected {name} of {least} or more{', below 2**63' * (number > 0)}, got {number}")
    return number


def _share(name: str, value: Any) -> float:
    if not 0 <= (number := real_number(name, value)) < 1:
        raise ValueError(f"expected {name} in 0..1, got {number:g}")
    return number
