"""Numbers of settings: whatever moves a score shows in its signature, and nothing else does."""

import numpy as np
import pytest
import torch

from emo3d.face import RenderSettings
from emo3d.scoring import ScoreSettings


@pytest.mark.parametrize(
    ("name", "alike"),
    [
        ("alpha", [1, 1.0, np.float64(1), np.int32(1), np.array(1.0), torch.tensor(1.0)]),
        ("k", [5, 5.0, np.int64(5), torch.tensor(5)]),
        ("epsilon", [0.5, np.float32(0.5), 1e-1 * 5]),
        ("confidence", [0.5, np.float16(0.5)]),
        ("n_bootstrap", [1000, 1e3]),
        ("seed", [7, np.uint8(7)]),
        ("identities", [2, 2.0]),
        ("render", [RenderSettings(yaw=10), RenderSettings(size=224.0, yaw=np.float64(10), light_yaw=-0.0)]),
    ],
)
def test_equal_numbers_are_signed_alike(name, alike):
    settings = [ScoreSettings(**{name: value}) for value in alike]
    assert len({one.signature for one in settings}) == len(set(settings)) == 1


@pytest.mark.parametrize(
    ("name", "apart"),
    [
        ("alpha", [1, 1 + 1e-15]),
        ("epsilon", [0.01, np.float32(0.01)]),  # which is 0.0099999998
        ("confidence", [0.95, 0.9500000001]),
        ("render", [RenderSettings(field_of_view=20), RenderSettings(field_of_view=20.00004)]),
        ("render", [RenderSettings(yaw=0), RenderSettings(yaw=1e-7)]),
        ("render", [RenderSettings(light_yaw=10), RenderSettings(light_yaw=10.0000001)]),
    ],
)
def test_numbers_that_differ_are_signed_apart(name, apart):
    assert len({ScoreSettings(**{name: value}).signature for value in apart}) == 2


def test_figures_as_they_were_signed_before():
    assert str(RenderSettings()) == "portrait-3/224px/2x/fov20/yaw0"
    assert str(RenderSettings(yaw=-7.5, light_yaw=30)) == "portrait-3/224px/2x/fov20/yaw-7.5/light30"
    assert ScoreSettings().signature.startswith("variant:paper|k:10|epsilon:0.01|alpha:1.0|")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": True}, "expected k as a whole number, got True"),
        ({"k": 2.5}, "expected k as a whole number, got 2.5"),
        ({"k": "10"}, "expected k as a whole number, got '10'"),
        ({"seed": None}, "expected seed as a whole number, got None"),  # another interval every time
        ({"seed": -1}, "expected a seed of 0 or more, got -1"),
        ({"alpha": float("inf")}, "expected alpha as a finite number, got inf"),
        ({"epsilon": float("nan")}, "expected epsilon as a finite number, got nan"),
        ({"epsilon": np.zeros(2)}, "expected epsilon as a finite number, got array.*"),
    ],
)
def test_what_is_no_number_is_refused(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        ScoreSettings(**arguments)


def test_a_folder_is_signed_by_its_name():
    assert "|backbone:clip|" in ScoreSettings(backbone="/somewhere/clip").signature
    assert "|backbone:me/clip|" in ScoreSettings(backbone="me/clip").signature
