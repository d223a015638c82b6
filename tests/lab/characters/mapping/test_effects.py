"""What names speak for (FACS: Ekman, Friesen and Hager 2002; visemes: Oculus; presets: VRM 1.0), and what moves."""

import numpy as np
import pytest

from emo3d_lab.characters.mapping.effects import describe_motion, named_units
from emo3d_lab.characters.mapping.sight import LIDS
from emo3d_lab.landmarker import LANDMARKS


@pytest.mark.parametrize(
    ("name", "units"),
    [
        ("jaw_open", {"jawOpen"}),
        ("viseme_aa", {"jawOpen"}),
        ("viseme_U", {"mouthPucker"}),
        ("Fcl_MTH_A", {"jawOpen"}),
        ("AU12", {"mouthSmileLeft", "mouthSmileRight"}),
        ("AU01_L", set()),  # ARKit has one browInnerUp for both sides
        ("AU12_L", {"mouthSmileLeft"}),
        ("AU04", {"browDownLeft", "browDownRight"}),
        ("blink", {"eyeBlinkLeft", "eyeBlinkRight"}),
        ("Blink_L", {"eyeBlinkLeft"}),
        ("happy", {"mouthSmileLeft", "mouthSmileRight"}),
        ("angry", {"browDownLeft", "browDownRight"}),
        ("Key 1", set()),
        ("", set()),
        ("breasts", set()),
    ],
)
def test_names(name, units):
    assert named_units(name) == units


def test_what_moves():
    """Lids that go 3 mm down on a face of 63 mm between the eyes, drawn here at 6.3."""
    motion = np.zeros((LANDMARKS, 3))
    motion[list(LIDS), 1] = -0.3
    motion[159, 1] = -0.31
    assert describe_motion(motion, 6.3) == {"moves": "right upper lid", "direction": "down", "mm": 3.1}
    assert describe_motion(motion / 100, 6.3)["moves"] == "nothing that is seen"
