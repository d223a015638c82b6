"""What names speak for (FACS: Ekman, Friesen and Hager 2002; visemes: Oculus; presets: VRM 1.0), and what moves."""

import numpy as np
import pytest

from emo3d_lab.characters.mapping.effects import describe_motion, named_units, regions
from emo3d_lab.characters.mapping.sight import LIDS, Sight
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
    """Lids that go 3 mm down on a face of 63 mm between the eyes, drawn here at 6.3; the face's right is at -x."""
    points = np.random.default_rng(0).uniform(-3, 3, (LANDMARKS, 3))
    points[[33, 133, 362, 263]] = [[-4.15, 0, 0], [-2.15, 0, 0], [2.15, 0, 0], [4.15, 0, 0]]
    sight = Sight(np.eye(3), (0, 0, 0, 1), np.arange(LANDMARKS), np.eye(LANDMARKS), points)
    motion = np.zeros((LANDMARKS, 3))
    motion[list(LIDS), 1] = -0.3
    places = regions(sight)
    assert describe_motion(motion, places, 6.3) == {"moves": "right lids", "direction": "down", "mm": 3.0}
    assert describe_motion(motion / 100, places, 6.3)["moves"] == "nothing that is seen"
