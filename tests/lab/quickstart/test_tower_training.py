"""The tower's training in small: it learns what pictures show, by the metric's own divergence."""

import numpy as np
import pytest
import torch

from emo3d.backbones.tower import PictureTower
from emo3d.emotions import distribution, kl_divergence
from emo3d_lab.quickstart import tower
from emo3d_lab.quickstart.views import Views


def test_the_tower_learns_what_its_pictures_show():
    generator = torch.Generator().manual_seed(0)
    kind = torch.arange(128) % 8
    pictures = torch.zeros(128, 3, 112, 112, dtype=torch.uint8)
    for row, side in enumerate(14 * kind):  # a bar whose place is the emotion
        pictures[row, :, :, side : side + 14] = 255
    texts = torch.nn.functional.normalize(torch.randn(8, 384, generator=generator), dim=1)[kind]
    intensities = torch.eye(8)[kind]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        views = Views(
            np.zeros((128, 51)), intensities.numpy(), np.arange(128), np.ones(128, bool), np.ones(128, np.float32)
        )
        pictured = PictureTower(share=1.5)
        tower.fit_tower(pictured, pictures, views, texts, intensities, epochs=8, batch_size=32, rate=2e-3)
        told = tower.train_texts(texts, intensities, batch_size=32)
    assert not pictured.training
    with torch.no_grad():
        nearest = (pictured(pictures[:8].float() / 255) @ told(texts[:8]).T).argmax(1)
    assert (nearest == kind[:8]).float().mean() >= 7 / 8


def test_divergence_is_the_metrics_own():
    p, q = np.random.default_rng(0).integers(0, 3, (2, 20, 8)) / 2
    p[:, 0] = q[:, 0] = 0.5
    p, q = distribution(p), distribution(q)
    expected = kl_divergence(p, q).mean()
    assert tower._divergence(torch.tensor(p), torch.tensor(q)).item() == pytest.approx(expected, abs=1e-9)


def test_rows_of_a_divergence_count_as_told():
    p, q = torch.eye(2), torch.tensor([[0.5, 0.5], [0.25, 0.75]])
    expected = (3 * np.log(1 / 0.51) + np.log(1 / 0.76)) / 2  # by hand
    assert tower._divergence(p, q, torch.tensor([3.0, 1.0])).item() == pytest.approx(expected, abs=1e-6)


def test_contrast_leaves_out_faces_that_their_description_does_not_fit():
    similarity = 4 * torch.eye(4)
    similarity[3, 3] = -9.0
    row, own = torch.tensor([0, 1, 2, 3]), torch.tensor([True, True, True, False])
    expected = np.log(1 + 3 * np.exp(-4))  # each of three tells one of four, by hand
    assert tower._contrast(similarity, row, own).item() == pytest.approx(expected, abs=1e-5)
    twins = torch.tensor([0, 1, 2, 2])  # another face of row 2 is no mistake for it
    similarity[2, 3] = similarity[3, 2] = 9.0
    assert tower._contrast(similarity, twins, own).item() < 0.06
