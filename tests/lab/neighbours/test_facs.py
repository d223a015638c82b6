"""Action units against a correspondence and a notation published elsewhere."""

import numpy as np
import pytest

from emo3d.blendshapes import BLENDSHAPES
from emo3d_lab.neighbours.facs import FACS_BLENDSHAPES, read_units, units_to_expression

# Typed from M. Ozel, "ARKit to FACS Cheat Sheet" (https://melindaozel.com/arkit-to-facs-cheat-sheet/), as others quote
# it: the blendshapes of a unit, without their sides.
OZEL = {
    "1": {"browInnerUp"},
    "2": {"browOuterUp"},
    "4": {"browDown"},
    "5": {"eyeWide"},
    "6": {"cheekSquint"},
    "7": {"eyeSquint"},
    "9": {"noseSneer"},
    "10": {"mouthUpperUp"},
    "12": {"mouthSmile"},
    "14": {"mouthDimple"},
    "15": {"mouthFrown"},
    "16": {"mouthLowerDown"},
    "17": {"mouthShrugLower", "mouthShrugUpper"},
    "18": {"mouthPucker"},
    "20": {"mouthStretch"},
    "22": {"mouthFunnel"},
    "24": {"mouthPress"},
    "26": {"jawOpen"},
    "27": {"jawOpen"},
    "28": {"mouthRollLower", "mouthRollUpper"},
    "29": {"jawForward"},
    "34": {"cheekPuff"},
    "45": {"eyeBlink"},
    "63": {"eyeLookUp"},
    "64": {"eyeLookDown"},
    "65": {"eyeLookOut"},
    "66": {"eyeLookIn"},
}


@pytest.mark.parametrize("unit", OZEL)
def test_a_unit_drives_the_blendshapes_of_the_published_correspondence(unit):
    shares = FACS_BLENDSHAPES[unit]
    assert OZEL[unit] <= {_bare(name) for name in shares}
    assert max(shares.values()) == 1.0
    assert all(share <= 0.5 for name, share in shares.items() if _bare(name) not in OZEL[unit])  # what goes with it


def _bare(name):
    return name.removesuffix("Left").removesuffix("Right")


@pytest.mark.parametrize(
    ("noted", "scale", "expected"),
    [
        # Surprise and contempt as https://en.wikipedia.org/wiki/Facial_Action_Coding_System has them; A is 1 of 5.
        ("1+2+5B+26", None, {"1": 1.0, "2": 1.0, "5": 0.4, "26": 1.0}),
        ("R12A+R14A", None, {"12R": 0.2, "14R": 0.2}),
        ("AU01, AU12; AU 25", None, {"1": 1.0, "12": 1.0, "25": 1.0}),
        ("['AU6', 'AU12']", None, {"6": 1.0, "12": 1.0}),
        (["AD29", 12, "M61"], None, {"29": 1.0, "12": 1.0, "61": 1.0}),
        ('{"AU12": 2.5, "AU4": 0}', "0-5", {"12": 0.5, "4": 0.0}),
        ({"12L": 0.25}, "0-1", {"12L": 0.25}),
        ({"12": "E", "4": "c"}, None, {"12": 1.0, "4": 0.6}),
        ("12:3", "0-5", {"12": 0.6}),
        ("0", None, {}),
        ([], None, {}),
    ],
)
def test_units_are_read_in_the_notations_of_the_field(noted, scale, expected):
    assert read_units(noted, scale) == pytest.approx(expected)


def test_a_unit_without_a_strength_takes_the_rows():
    assert read_units("4+5E", unscored=1 / 3) == pytest.approx({"4": 1 / 3, "5": 1.0})


@pytest.mark.parametrize(
    ("noted", "scale", "message"),
    [
        ({"12": 1}, None, "0-1 or 0-5: say which"),
        ("12:0.5", None, "0-1 or 0-5: say which"),
        ({"12": 6}, "0-5", "on the scale 0-5, got 6"),
        ({"12": float("nan")}, "0-5", "on the scale 0-5, got nan"),
        ({"12": None}, "0-5", "expected a strength for 12"),
        ("smile", None, "such as 12, AU12, L12B or 12:0.5, got 'SMILE'"),
        ("12B:0.5", "0-1", "got both in '12B:0.5'"),
        ("12+AU12", None, "12 twice"),
        (12.5, None, "such as 1"),
    ],
)
def test_what_cannot_be_read_is_refused(noted, scale, message):
    with pytest.raises(ValueError, match=message):
        read_units(noted, scale)


@pytest.mark.parametrize("unit", ["38", "39", "30", "46", "1L", "34R", "99"])
def test_a_unit_that_no_blendshape_shows_is_refused(unit):
    """39 is the nostril compressor; 30 and 46 are one side only; browInnerUp and cheekPuff have no sides."""
    with pytest.raises(ValueError, match=f"got {unit}$"):
        units_to_expression({unit: 0.5})
    assert not units_to_expression({unit: 0.0}).any()


def test_units_that_share_a_blendshape_are_combined_and_sides_stay_apart():
    shown = dict(zip(BLENDSHAPES, units_to_expression({"6": 1.0, "7": 0.5, "12L": 0.4, "45R": 1.0}), strict=True))
    assert shown["eyeSquintLeft"] == pytest.approx(1 - 0.5 * 0.5)  # half of it from 6, half from 7
    assert (shown["mouthSmileLeft"], shown["mouthSmileRight"]) == (np.float32(0.4), 0.0)
    assert (shown["eyeBlinkLeft"], shown["eyeBlinkRight"]) == (0.0, 1.0)
