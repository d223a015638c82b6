"""Fit the networks of a calibration: readings to weights and back, pictures to weights."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from tqdm.auto import tqdm

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face.calibration import SIDES, with_logits
from emo3d.face.render import RenderSettings
from emo3d_lab.calibrate.measure import Faces
from emo3d_lab.engines import ProcessPool
from emo3d_lab.landmarks import align, picture_inputs, shape_of

HIDDEN = 256
AXES = 64
"""Directions in which landmarks of the faces fitted on differ most."""

_BATCH, _RATE, _DECAY = 256, 4e-3, 1e-2
_NOISE = (0.02, 0.12, 0.1)
"""Added to inputs while fitting, so that no weight depends on a last digit: of readings, of their logits as a network
takes them, and of the shape in standard deviations."""
_UNEVEN = 0.1  # beside the squared error of weights, of the squared difference of brows and lids between the sides

_PEOPLE = 1024
_UNLIKE = 0.02  # distances between the eyes by which points of somebody's face lie elsewhere, in the mean square
_REACHES, _SHARES = (0.3, 0.12), (1.0, 0.5)  # over which points move together, distances between the eyes
_SYMMETRY = 0.8  # of people: the correlation of one side with the other

_SILENT = -1e4  # a bias: its sigmoid is exactly 0


@dataclass(frozen=True, eq=False)
class Task:
    """A network to fit.

    Attributes:
        name: of the network.
        inputs: (N, D) float32.
        targets: (N, 51) float32 in 0..1.
        noise: (D,) float32, standard deviations of what is added to the inputs; None for nothing.
        people: (P, K) float32, one of which, times 0..2, is added to the last K inputs.
        uneven: weight of the squared difference of brows and lids between the sides.
    """

    name: str
    inputs: np.ndarray
    targets: np.ndarray
    noise: np.ndarray | None = None
    people: np.ndarray | None = None
    uneven: float = 0.0


def fit_networks(
    faces: Faces, *, seed: int, epochs: int, absent: Collection[str] = (), num_proc: int = 1
) -> dict[str, np.ndarray]:
    """Fit the three networks of a `Calibration` to measured faces, each in a process; its arrays."""
    mean, axes = _mean_and_axes(faces.landmarks)
    tasks = [_forward(faces), _inverse(faces), _picture(faces, mean, axes, seed)]
    arrays: dict[str, np.ndarray] = {}
    for _, part in ProcessPool(num_proc).run(train, [(task, seed, epochs) for task in tasks]):
        arrays |= part
    weight, bias = arrays["forward.0.weight"], arrays["forward.0.bias"]
    units = faces.weights.shape[1]  # the first person's place in the context comes after them
    arrays |= {"forward.0.weight": weight[:, :units].copy(), "forward.0.bias": bias + weight[:, units]}
    arrays |= {"picture.mean": mean, "picture.axes": axes}
    lost = [BLENDSHAPES.index(name) for name in absent]
    arrays["picture.2.weight"][lost], arrays["picture.2.bias"][lost] = 0.0, _SILENT
    return arrays


def _forward(faces: Faces) -> Task:
    """Weights -> readings of the rig to render on, from the faces of all identities.

    Identity, pose and light move readings as much as many a unit does. They are inputs beside the weights while the
    network is fitted; then those of the rig to render on (person 0, no turn, scoring's camera) go into the biases.
    """
    persons = np.eye(faces.person.max() + 1, dtype=np.float32)[faces.person]
    turns = np.stack([faces.yaw / 20, faces.light_yaw / 60], axis=1)
    zoom = faces.field_of_view[:, None] / RenderSettings.field_of_view - 1
    inputs = np.concatenate([faces.weights, persons, turns, turns**2, zoom], axis=1)
    return Task("forward", inputs, faces.readings)


def _inverse(faces: Faces) -> Task:
    """Readings -> weights of any identity; brows and lids even, as the instrument is uneven itself."""
    import torch

    inputs = with_logits(torch.from_numpy(faces.readings)).numpy()
    return Task("inverse", inputs, faces.weights, _noise(), uneven=_UNEVEN)


def _mean_and_axes(landmarks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean face (1434,), and the axes (K, 1434) along which faces differ, each in its standard deviation."""
    mean = _mean_face(landmarks)
    flat = align(landmarks, mean).reshape(len(landmarks), -1)
    flat -= mean.reshape(-1)
    variances, axes = np.linalg.eigh((flat.T @ flat / len(flat)).astype(np.float64))
    variances, axes = variances[: -AXES - 1 : -1], axes[:, : -AXES - 1 : -1]
    axes = np.ascontiguousarray((axes / np.sqrt(variances.clip(1e-8))).T, np.float16)
    return mean.reshape(-1).astype(np.float32), axes


def _picture(faces: Faces, mean: np.ndarray, axes: np.ndarray, seed: int) -> Task:
    """Readings and landmarks -> weights of any identity.

    The heads that are pictured differ less than people do, and a network that has never seen a longer nose takes it for
    an expression. So landmarks are moved while fitting, as if each face were of somebody else: neighbouring points
    together, and the sides of the face mostly as each other's mirror image.
    """
    inputs = picture_inputs(faces.readings, shape_of(faces.landmarks, mean, axes))
    people = _people(mean.reshape(-1, 3), seed).reshape(_PEOPLE, -1) @ axes.astype(np.float32).T
    return Task("picture", inputs, faces.weights, _noise(len(axes)), people)


def _noise(axes: int = 0) -> np.ndarray:
    return np.repeat(np.array(_NOISE, np.float32), (len(BLENDSHAPES), len(BLENDSHAPES), axes))


def _mean_face(landmarks: np.ndarray) -> np.ndarray:
    """Mean (478, 3) of landmarks, aligned with it; upright as the first face, the distance between the eyes being 1."""
    right, left = (landmarks[0, places].mean(axis=0) for places in ([33, 133], [362, 263]))
    mean = (landmarks[0] - (right + left) / 2) / np.linalg.norm(left - right)
    for _ in range(2):
        mean = align(landmarks, mean).mean(axis=0)
    return mean


def _people(mean: np.ndarray, seed: int) -> np.ndarray:
    """How points of a mean face (478, 3) lie in other people's: smooth random fields, (_PEOPLE, 478, 3) float32."""
    dice = np.random.default_rng(seed)
    near, across = (np.square(mean[:, None] - mean * side).sum(axis=-1) for side in ([1, 1, 1], [-1, 1, 1]))
    fields = np.zeros((_PEOPLE, *mean.shape))
    for reach, share in zip(_REACHES, _SHARES, strict=True):
        alike, mirrored = (np.exp(-distance / 2 / reach**2) for distance in (near, across))
        mirrored = (mirrored + mirrored.T) / 2
        for axis, sign in enumerate((-1, 1, 1)):  # the mirror image of a point that moves right moves left
            values, vectors = np.linalg.eigh(alike + sign * _SYMMETRY * mirrored)
            root = vectors * np.sqrt(values.clip(0))
            fields[..., axis] += share * (root @ dice.standard_normal((len(mean), _PEOPLE))).T
    return (_UNLIKE * fields / np.sqrt(np.square(fields).mean())).astype(np.float32)


def train(task: Task, seed: int, epochs: int) -> dict[str, np.ndarray]:
    """Fit one network to the mean squared error of its outputs; its arrays in float16."""
    import torch
    from torch import nn

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # steps are too small to share, and threads that wait for each other add up differently
    dice = torch.Generator().manual_seed(seed)
    torch.set_flush_denormal(True)  # of rarely used inputs the optimizer's averages decay to numbers that cost 8 x
    sizes = (task.inputs.shape[1], HIDDEN, HIDDEN, task.targets.shape[1])
    layers = [nn.utils.skip_init(nn.Linear, before, after) for before, after in pairwise(sizes)]
    for layer in layers:
        nn.init.kaiming_uniform_(layer.weight, a=5**0.5, generator=dice)
        nn.init.zeros_(layer.bias)
    network = nn.Sequential(layers[0], nn.SiLU(), layers[1], nn.SiLU(), layers[2], nn.Sigmoid())
    x, y = torch.from_numpy(task.inputs), torch.from_numpy(task.targets)
    noise, people = (None if part is None else torch.from_numpy(part) for part in (task.noise, task.people))
    pairs = [(left, right) for left, right in SIDES if BLENDSHAPES[left].startswith(("brow", "eye"))]
    lefts, rights = map(list, zip(*pairs, strict=True))
    steps = -(-len(x) // _BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=_RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=epochs * steps, pct_start=0.1)
    for _ in tqdm(range(epochs), desc=f"Fitting {task.name}", unit=" epochs", delay=1):
        for rows in torch.randperm(len(x), generator=dice).split(_BATCH):
            inputs = x[rows]
            if noise is not None:
                inputs = inputs + noise * torch.randn(inputs.shape, generator=dice)
            if people is not None:
                amounts = 2 * torch.rand((len(rows), 1), generator=dice)
                faces = torch.randint(len(people), (len(rows),), generator=dice)
                inputs[:, -people.shape[1] :] += amounts * people[faces]
            outputs = network(inputs)
            loss = nn.functional.mse_loss(outputs, y[rows])
            if task.uneven:
                loss = loss + task.uneven * (outputs[:, lefts] - outputs[:, rights]).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    torch.set_flush_denormal(False)
    torch.set_num_threads(threads)
    return {
        f"{task.name}.{index}.{part}": getattr(layer, part).detach().numpy().astype(np.float16)
        for index, layer in enumerate(layers)
        for part in ("weight", "bias")
    }
