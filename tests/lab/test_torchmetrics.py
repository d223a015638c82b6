"""The score as a metric of torchmetrics: whatever the updates and processes, the numbers of `score`."""

import pickle

import numpy as np
import pytest
import torch

from fakes import FakeBackbone, pictures

pytest.importorskip("torchmetrics", reason="needs the extra torchmetrics")

from torchmetrics import MetricCollection

from emo3d.scoring import ScoreSettings, score
from emo3d_lab.torchmetrics import Emo3DMetric
from forks import FORKS

N = 14
RNG = np.random.default_rng(0)
REFERENCES = [
    {"description": f"é face {row}", "intensities": RNG.random(8).round(2), "blendshapes": RNG.random(51).round(3)}
    for row in range(N)
]
BARE = [{name: row[name] for name in ("description", "intensities")} for row in REFERENCES]
EXPRESSIONS = (RNG.random((N, 51)) / 2).astype(np.float32)
SETTINGS = ScoreSettings(backbone="quickstart", k=3, n_bootstrap=20)
NUMBERS = ("emo3d", "kl_divergence", "recall_at_k", "mse", "mae", "amplitude")


def fake():
    matrices = (RNG.normal(size=(N, 6)) for _ in range(2))
    return FakeBackbone(*(matrix / np.linalg.norm(matrix, axis=1, keepdims=True) for matrix in matrices))


def fed(metric, *rows, references=REFERENCES):
    for start, stop in rows:
        metric.update(EXPRESSIONS[start:stop], references[start:stop])
    return metric


def assert_same(metric, expected):
    numbers = metric.compute()
    assert numbers.keys() == {name for name in NUMBERS if getattr(expected, name) is not None}
    for name, number in numbers.items():
        assert float(number) == pytest.approx(getattr(expected, name), abs=1e-6)
    result = metric.result
    assert (result.n, result.signature, result.references) == (expected.n, expected.signature, expected.references)
    assert result.reference_expressions == expected.reference_expressions
    assert result.intervals.keys() == expected.intervals.keys()


@pytest.fixture(scope="module")
def expected():
    return score(EXPRESSIONS, REFERENCES, settings=SETTINGS)


def test_updates_in_parts(expected):
    metric = fed(Emo3DMetric(SETTINGS), (0, 5), (5, 6), (6, N))
    assert_same(metric, expected)
    assert metric.result.per_sample["mse"] == pytest.approx(expected.per_sample["mse"], abs=1e-12)
    np.testing.assert_array_equal(metric.result.per_sample["amplitude"], expected.per_sample["amplitude"])
    assert metric.result.intervals["amplitude"] == expected.intervals["amplitude"]
    assert_same(pickle.loads(pickle.dumps(metric)), expected)
    assert_same(fed(Emo3DMetric(SETTINGS), (0, N), references=BARE), score(EXPRESSIONS, BARE, settings=SETTINGS))


def test_several_identities():
    settings = ScoreSettings(backbone="quickstart", k=2, identities=2, n_bootstrap=5)
    assert_same(fed(Emo3DMetric(settings), (0, 3)), score(EXPRESSIONS[:3], REFERENCES[:3], settings=settings))


def test_forward_is_the_score_of_the_batch_and_adds_it(expected):
    metric = Emo3DMetric(SETTINGS, bank=REFERENCES)
    bank = metric.scorer.bank
    for start, stop in ((0, 5), (5, N)):
        numbers = metric(EXPRESSIONS[start:stop], REFERENCES[start:stop])
        batch = score(EXPRESSIONS[start:stop], REFERENCES[start:stop], bank=bank, settings=SETTINGS)
        assert float(numbers["emo3d"]) == pytest.approx(batch.emo3d, abs=1e-6)
    assert_same(metric, expected)


def test_reset_keeps_the_bank():
    metric = fed(Emo3DMetric(SETTINGS, bank=REFERENCES), (0, N))
    metric.compute()
    metric.reset()
    with pytest.raises(ValueError, match=r"^expected faces to score, got none"):
        metric.compute()
    fed(metric, (2, 4))
    assert_same(metric, score(EXPRESSIONS[2:4], REFERENCES[2:4], bank=metric.scorer.bank, settings=SETTINGS))


def test_states_are_merged(expected):
    metric = fed(Emo3DMetric(SETTINGS), (0, 5))
    metric.merge_state(fed(Emo3DMetric(SETTINGS), (5, 9), (9, N)))
    assert_same(metric, expected)


def test_pictures_of_a_backbone_of_ones_own():
    backbone = fake()
    settings = ScoreSettings(k=3)
    metric = Emo3DMetric(settings, backbone=backbone, batch_size=4)
    for rows in (range(6), range(6, N)):
        metric.update(pictures(rows), [BARE[row] for row in rows])
    assert_same(metric, score(pictures(range(N)), BARE, settings=settings, backbone=backbone))
    assert_same(metric.clone(), metric.result)  # which has the backbone, too
    backbone.encode_pictures = lambda pictures: backbone.pictures[: len(pictures)]
    metric.update(EXPRESSIONS[:2], BARE[:2])
    with pytest.raises(
        ValueError, match=r"^expected updates of one kind of faces, got expressions, pictures of 1 x 1$"
    ):
        metric.compute()


def test_errors_of_all_updates_or_of_none():
    metric = fed(Emo3DMetric(SETTINGS), (0, 4))
    fed(metric, (4, N), references=BARE)
    with pytest.raises(
        ValueError, match=r"^expected reference blendshapes to compare with in every update or in none$"
    ):
        metric.compute()


def test_in_a_collection(expected):
    metrics = MetricCollection([Emo3DMetric(SETTINGS)])
    metrics.update(EXPRESSIONS, REFERENCES)
    assert float(metrics.compute()["emo3d"]) == pytest.approx(expected.emo3d, abs=1e-6)


SHARES = [([(0, 5), (5, 8)], [(8, N)]), ([(0, 5), (5, N)], [])]


def _process(rank, folder):
    torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    for case, shares in enumerate(SHARES):
        metric = fed(Emo3DMetric(SETTINGS), *shares[rank])
        numbers = metric.compute()
        assert len(metric.lengths) == len(shares[rank])  # torchmetrics puts the states of this process back
        numbers = {name: float(number) for name, number in numbers.items()}
        torch.save((numbers, metric.result), f"{folder}/{case}-{rank}")
    torch.distributed.destroy_process_group()


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """Folder of what two processes found for each of `SHARES`."""
    folder = tmp_path_factory.mktemp("processes")
    torch.multiprocessing.start_processes(_process, (str(folder),), nprocs=2, start_method=FORKS.get_start_method())
    return folder


@pytest.mark.parametrize("case", range(len(SHARES)))
def test_processes_share_their_states(processes, case, expected):
    for rank in range(2):
        numbers, result = torch.load(processes / f"{case}-{rank}", weights_only=False)
        assert numbers["emo3d"] == pytest.approx(expected.emo3d, abs=1e-6)
        assert (result.n, result.signature) == (N, expected.signature)
