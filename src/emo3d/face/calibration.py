"""Readings of an instrument into weights of a rig, and back.

MediaPipe reads a pucker and raised brows off a face at rest, and nothing at all off a wrinkled nose. So small networks
are fitted to faces of known weights that the instrument has read (`emo3d calibrate`): `inverse`, from readings to
weights, and `forward`, from weights to readings. `refine` starts from the inverse's answer and goes on until the
forward network gives the readings, as far as weights that are small, even from left to right and near that answer can.
A third, `picture`, is for whoever has the landmarks too: see `emo3d_lab.landmarks`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from emo3d.blendshapes import BLENDSHAPES, Space, as_expressions, check_space
from emo3d.documents import parse_json
from emo3d.loading import loaded_once

if TYPE_CHECKING:
    import torch

    from emo3d.face.rig import FaceRig

Method = Literal["refine", "network", "none"]
METHODS: tuple[Method, ...] = get_args(Method)
"""How readings become weights: fitted to the scored face, in one pass, or not at all (as the publication did)."""

DEFAULT_METHOD: Method = "network"
"""Of renders, files, scores, commands and pages: the likeliest weights."""

PACKAGED = "anny"
_FOLDER = Path(__file__).parent.parent / "assets" / "calibration"

_LARGEST = 64 * 2**20  # bytes; ours has under 1 MB
_UNITS = ("unrecoverable", "inferred")
_FAINT = 1e-3  # added to readings and to what they lack of 1, so that their logits are finite
_BATCH = 4096  # faces at a time
_STEPS, _RATE = 60, 0.05
_DAMPING = 1e-3  # Adam's epsilon: large, so that a rounding error is not blown up to a step
_NEAR, _SMALL = 0.05, 0.0005  # of the squared distance from the network's answer, and of the squared weights
_UNEVEN, _UNEVEN_EYES = 0.1, 0.2  # of the squared difference of sides: of brows and lids, the latter
SIDES: tuple[tuple[int, int], ...] = tuple(
    (BLENDSHAPES.index(name), BLENDSHAPES.index(name.removesuffix("Left") + "Right"))
    for name in BLENDSHAPES
    if name.endswith("Left") and not name.startswith(("eyeLook", "jaw")) and name != "mouthLeft"
)
"""Columns of the left and right of each blendshape that has two; a jaw, mouth or look to one side is no side."""

_JAW, _CLOSE = BLENDSHAPES.index("jawOpen"), BLENDSHAPES.index("mouthClose")


def check_method(method: str) -> Method:
    """Return `method` if it is one of `METHODS`; raise a ValueError that names them otherwise."""
    if method not in METHODS:
        raise ValueError(f"expected a calibration method of {', '.join(METHODS)}, got {method!r}")
    return method


@dataclass(frozen=True, eq=False)
class Calibration:
    """What an instrument reads off a rig, both ways."""

    name: str  # goes into signatures; changed whenever the same readings would give other weights
    arrays: Mapping[str, np.ndarray]  # `"inverse.0.weight"` (out, in) to `"forward.2.bias"` (out,), float16 or float32
    unrecoverable: tuple[str, ...] = ()  # blendshapes that readings say nothing of, or that the rig lacks: always 0
    inferred: tuple[str, ...] = ()  # those that readings determine only by what expressions usually have beside them
    about: Mapping[str, str] = field(default_factory=dict)  # versions, and figures of the fit

    def to_weights(self, readings: Any, method: Method = DEFAULT_METHOD) -> np.ndarray:
        """Find the weights of which the instrument would give these readings, (N, 51) in 0..1.

        Returns:
            (N, 51) float32 in 0..1, with mouthClose <= jawOpen; the readings if the method is `"none"`. The same batch
            gives the same bits; a face does not depend on the others beyond 1e-5.

        Raises:
            ValueError: what `as_expressions` refuses, or an unknown method.
        """
        scores = as_expressions(readings)
        if check_method(method) == "none":
            return scores
        return self._in_batches(scores, self._inverse if method == "network" else self._refine)

    def to_readings(self, weights: Any) -> np.ndarray:
        """Predict what the instrument reads off weights (N, 51) in 0..1: (N, 51) float32 in 0..1."""
        return self._in_batches(as_expressions(weights), self.forward)

    def forward(self, weights: torch.Tensor) -> torch.Tensor:
        """`to_readings` for tensors (N, 51) float32, with gradients and without checks."""
        return self._apply("forward", weights)

    def apply(self, network: str, inputs: np.ndarray) -> np.ndarray:
        """Weights (N, 51) float32 in 0..1, with mouthClose <= jawOpen, that a network gives for inputs (N, D)."""
        return self._in_batches(inputs, lambda batch: _closed(self._apply(network, batch)))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Calibration:
        """Read a file that `emo3d calibrate` wrote.

        Raises:
            FileNotFoundError: no such file.
            ValueError: another kind of file, or networks of another shape.
        """
        from safetensors import SafetensorError, safe_open

        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"no such calibration: {path}")
        if (size := path.stat().st_size) > _LARGEST:
            raise ValueError(f"expected a calibration of at most {_LARGEST >> 20} MB, got {path} with {size >> 20} MB")
        try:
            with safe_open(path, framework="numpy") as file:
                about = dict(file.metadata() or {})
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
            name = about.pop("name")
            unrecoverable, inferred = (_check_names(parse_json(about.pop(names))) for names in _UNITS)
        except (SafetensorError, LookupError, TypeError, ValueError, OSError) as error:
            raise ValueError(f"{path} is no calibration ({error}); `emo3d calibrate` writes one") from error
        units = len(BLENDSHAPES)
        _check_network(path, "inverse", arrays, units, 2 * units)  # `anny-1` takes no logits
        _check_network(path, "forward", arrays, units)
        return cls(name, arrays, unrecoverable, inferred, about)

    def check_rig(self, rig: FaceRig) -> None:
        """Raise a ValueError where this was measured on another rig than the one it is to be used on."""
        origin = self.about.get("rig")  # anny and its version, or the SHA-256 of a GLB
        if origin is None or rig.origin is None or origin == rig.origin:
            return
        if origin.split()[:1] == rig.origin.split()[:1] == ["anny"]:  # its heads are read alike
            return
        source, target = (
            name if name.startswith("anny") else f"a file with SHA-256 {name[:8]}..." for name in (origin, rig.origin)
        )
        raise ValueError(
            f"the calibration {self.name!r} was made of {source}, the rig {rig.name!r} of {target}: "
            "make one for it with `emo3d calibrate OUT --character FILE`"
        )

    @cached_property
    def _layers(self) -> dict[str, list[tuple[torch.Tensor, torch.Tensor]]]:
        import torch

        tensors = {name: torch.from_numpy(array.astype(np.float32)) for name, array in self.arrays.items()}
        return {
            network: [(tensors[f"{network}.{layer}.weight"], tensors[f"{network}.{layer}.bias"]) for layer in range(3)]
            for network in {name.partition(".")[0] for name in tensors}
        }

    def _apply(self, network: str, inputs: torch.Tensor) -> torch.Tensor:
        from torch.nn.functional import linear, silu

        *hidden, last = self._layers[network]
        for weight, bias in hidden:
            inputs = silu(linear(inputs, weight, bias))
        return linear(inputs, *last).sigmoid()

    def _limit(self, weights: torch.Tensor) -> torch.Tensor:
        """Within 0..1, mouthClose <= jawOpen, and 0 where readings say nothing."""
        import torch

        return _closed(weights * torch.tensor([float(name not in self.unrecoverable) for name in BLENDSHAPES]))

    def _in_batches(self, scores: np.ndarray, function: Any) -> np.ndarray:
        import torch

        from emo3d.numerics import fixed_numerics

        # Out of any inference mode of the caller's: refining needs gradients.
        with torch.inference_mode(False), torch.no_grad(), fixed_numerics():
            return np.concatenate([function(batch).numpy() for batch in torch.from_numpy(scores).split(_BATCH)])

    def _inverse(self, readings: torch.Tensor) -> torch.Tensor:
        logits = self.arrays["inverse.0.weight"].shape[1] > len(BLENDSHAPES)
        return self._limit(self._apply("inverse", with_logits(readings) if logits else readings))

    def _refine(self, readings: torch.Tensor) -> torch.Tensor:
        import torch

        answer = self._inverse(readings)
        left, right = map(list, zip(*SIDES, strict=True))
        uneven = torch.tensor([_UNEVEN_EYES if BLENDSHAPES[i].startswith(("brow", "eye")) else _UNEVEN for i in left])
        weights = answer.clone().requires_grad_()
        adam = torch.optim.Adam([weights], lr=_RATE, eps=_DAMPING)
        for step in range(_STEPS):
            adam.param_groups[0]["lr"] = _RATE * (1 - step / _STEPS)
            with torch.enable_grad():
                error = (self.forward(weights) - readings).square().sum()
                distance = _NEAR * (weights - answer).square().sum() + _SMALL * weights.square().sum()
                sides = (uneven * (weights[:, left] - weights[:, right]).square()).sum()
                (weights.grad,) = torch.autograd.grad(error + distance + sides, weights)
            adam.step()
            weights.copy_(self._limit(weights))
        return weights.detach()


def with_logits(readings: torch.Tensor) -> torch.Tensor:
    """Readings (N, 51) and their logits, (N, 102): a network sees the faint ones, too."""
    import torch

    return torch.cat([readings, ((readings + _FAINT) / (1 - readings + _FAINT)).log() / 4], dim=1)


def _closed(weights: torch.Tensor) -> torch.Tensor:
    """Within 0..1, and mouthClose <= jawOpen."""
    weights = weights.clamp(0.0, 1.0)
    weights[:, _CLOSE] = weights[:, _CLOSE].minimum(weights[:, _JAW])
    return weights


def load_calibration(name_or_path: str | os.PathLike[str] = PACKAGED) -> Calibration:
    """Load a calibration, once: `"anny"` (packaged), or the path of a file that `emo3d calibrate` wrote."""
    path = _FOLDER / f"{PACKAGED}.safetensors" if name_or_path == PACKAGED else Path(name_or_path)
    return _load(path, path.stat().st_mtime_ns if path.is_file() else 0)


@loaded_once(maxsize=4)
def _load(path: Path, _mtime: int) -> Calibration:
    return Calibration.load(path)


def rig_weights(
    expressions: Any, space: Space, method: Method = DEFAULT_METHOD, calibration: FaceRig | str | None = PACKAGED
) -> np.ndarray:
    """Turn expressions (N, 51) in 0..1 into weights (N, 51) float32 of a rig.

    Args:
        expressions: anything that `as_expressions` reads.
        space: of the expressions. Weights pass as they are, whatever the method.
        calibration: the rig; or name or path of a calibration, which is then not compared with a rig.

    Raises:
        ValueError: bad expressions, an unknown space or method, or readings for a rig without a calibration or with one
            that was made of another.
    """
    scores = as_expressions(expressions)
    choice = _calibration(space, method, calibration)
    return choice.to_weights(scores, method) if choice else scores


def name_calibration(
    space: Space, method: Method = DEFAULT_METHOD, calibration: FaceRig | str | None = PACKAGED
) -> str | None:
    """Name what `rig_weights` does: `"network/anny-2"`, `"none"` for readings as they are, None for weights."""
    if check_space(space) == "weights":
        return None
    choice = _calibration(space, method, calibration)
    return f"{method}/{choice.name}" if choice else method


def _calibration(space: Space, method: Method, rig: FaceRig | str | None) -> Calibration | None:
    """The calibration to apply; None where the expressions are taken as they are."""
    check_method(method)
    if check_space(space) == "weights" or method == "none":
        return None
    if isinstance(rig, str):
        return load_calibration(rig)
    if rig is None or rig.calibration is None:
        raise ValueError(
            "the rig has no calibration, so it cannot show readings: make one with `emo3d calibrate`, or take them as "
            'they are by calibration="none" (on the command line --calibration none)'
        )
    calibration = load_calibration(rig.calibration)
    calibration.check_rig(rig)
    return calibration


def to_weights(readings: Any, method: Method = DEFAULT_METHOD, calibration: Calibration | None = None) -> np.ndarray:
    """Turn readings (N, 51) into weights (N, 51), with the packaged calibration by default."""
    return (calibration or load_calibration()).to_weights(readings, method)


def to_readings(weights: Any, calibration: Calibration | None = None) -> np.ndarray:
    """Predict readings (N, 51) of weights (N, 51), with the packaged calibration by default."""
    return (calibration or load_calibration()).to_readings(weights)


def _check_names(names: Any) -> tuple[str, ...]:
    if not isinstance(names, list) or any(name not in BLENDSHAPES for name in names):
        raise ValueError(f"expected a list of blendshapes, got {str(names)[:100]}")
    return tuple(names)


def _check_network(path: Path, network: str, arrays: Mapping[str, np.ndarray], *widths: int) -> None:
    parts = [arrays.get(f"{network}.{layer}.{part}") for layer in range(3) for part in ("weight", "bias")]
    shapes = [None if array is None else array.shape for array in parts]
    units, first, second = len(BLENDSHAPES), *(shape[0] if shape else 0 for shape in (shapes[1], shapes[3]))
    rest = [(first,), (second, first), (second,), (units, second), (units,)]
    if shapes[1:] != rest or shapes[0] not in [(first, wide) for wide in widths]:
        raise ValueError(f"{path}: expected a network {network!r} from 51 to 51 scores, got layers of {shapes}")
    for array in parts:
        if array is None or array.dtype not in (np.float16, np.float32) or not np.isfinite(array).all():
            raise ValueError(f"{path}: expected finite float16 or float32 in the network {network!r}, got others")
