"""Faces that the backbone learns from: what people would see of them, worked out by hand."""

import numpy as np
import pytest

from emo3d.blendshapes import BLENDSHAPES, mirror
from emo3d.emotions import distribution
from emo3d_lab.quickstart.views import _seen_between, draw_views, fade
from emo3d_lab.sample import make_rows


@pytest.fixture(scope="module")
def rows():
    return make_rows("train", 300)


def test_each_row_is_shown_as_described_and_changed(rows):
    views = draw_views(rows, 0)
    assert views.row.tolist() == np.repeat(np.arange(300), 2).tolist()
    described = distribution([row.intensities for row in rows])
    np.testing.assert_allclose(views.seen[::2], described, atol=1e-6)
    straight = np.stack([row.blendshapes for row in rows])
    either = (views.weights[::2] == straight).all(1), (views.weights[::2] == mirror(straight)).all(1)
    assert np.logical_or(*either).all()
    assert 0.4 < (either[1] & ~either[0]).mean() < 0.6


def test_what_is_seen_is_a_distribution_and_weights_are_weights(rows):
    views = draw_views(rows, 0)
    np.testing.assert_allclose(views.seen.sum(1), 1, atol=1e-5)
    assert views.seen.min() >= -1e-6
    assert (views.weights.min(), views.weights.max()) >= (0, 0)
    assert views.weights.max() <= 1
    close, jaw = (BLENDSHAPES.index(name) for name in ("mouthClose", "jawOpen"))
    assert (views.weights[:, close] <= views.weights[:, jaw]).all()


def test_a_sided_description_does_not_fit_its_mirror_image(rows):
    views = draw_views(rows, 0)
    straight = np.stack([row.blendshapes for row in rows])
    for place, row in enumerate(rows):
        mirrored = not (views.weights[2 * place] == straight[place]).all()
        sided = " left " in f" {row.description} " or " right " in f" {row.description} "
        if sided:
            assert views.own[2 * place] == (not mirrored)
        elif "left" not in row.description and "right" not in row.description:
            assert views.own[2 * place]


def test_a_seed_decides(rows):
    one, same, other = draw_views(rows, 0), draw_views(rows, 0), draw_views(rows, 1)
    assert np.array_equal(one.weights, same.weights)
    assert not np.array_equal(one.weights, other.weights)


def test_what_is_seen_on_the_way():
    """By hand: what both faces show stays, what neither shows is neutral."""
    neutral, sad, half_sad, glad = np.eye(8)[0], np.eye(8)[3], 0.5 * np.eye(8)[0] + 0.5 * np.eye(8)[3], np.eye(8)[1]

    def seen(first, here, second, there):
        return _seen_between(first[None], np.array([here]), second[None], np.array([there]))[0]

    np.testing.assert_allclose(seen(sad, 0.25, neutral, 0.0), 0.25 * sad + 0.75 * neutral)
    np.testing.assert_allclose(seen(half_sad, 0.25, neutral, 0.0), 0.125 * sad + 0.875 * neutral)
    np.testing.assert_allclose(seen(sad, 0.25, glad, 0.25), 0.25 * sad + 0.25 * glad + 0.5 * neutral)
    np.testing.assert_allclose(seen(sad, 0.25, sad, 0.25), sad)
    np.testing.assert_allclose(seen(sad, 1.0, glad, 0.0), sad)
    np.testing.assert_allclose(seen(sad, 0.0, glad, 1.0), glad)


def test_an_emotion_fades_sooner_than_the_weights():
    strengths = np.linspace(0, 1, 41)
    shares = fade(strengths)
    assert (shares[0], shares[-1]) == (0, 1)
    assert (np.diff(shares) > 0).all()
    assert (shares[1:-1] < 1.0).all()
    assert shares[30] < 0.5 < 0.75 == strengths[30]
    assert (shares + shares[::-1] <= 1 + 1e-9).all()  # two faces mixed in any way never show more than one


def test_faces_near_their_full_strength_count_more(rows):
    views = draw_views(rows, 0)
    assert (views.weight[::2] == 1).all()
    ratio = views.weight[1::2].max() / views.weight[1::2].min()
    assert ratio > 2
