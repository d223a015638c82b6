"""Lips that close at rest on every head, and teeth that are lit from the front."""

import numpy as np
import pytest

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face import FaceRig, render
from emo3d.face.heads import head_arrays, packed_heads
from emo3d.face.identities import NAMED
from emo3d.face.skin import TEETH
from emo3d_lab.heads.mouth import draw_teeth, lip_gap


@pytest.mark.parametrize("name", NAMED)
def test_lips_are_closed_at_rest_and_open_with_the_jaw(name):
    """Seen from the front, and from a little above as the camera sees them; anny's own gap is up to 1.7 mm."""
    head = packed_heads().bald(NAMED[name])
    for slope in (0.0, 0.1):
        assert lip_gap(head["neutral"], head, slope)[1].max() <= 0.00025
    opened = head["neutral"] + 0.5 * head["deltas"][BLENDSHAPES.index("jawOpen")]
    assert lip_gap(opened, head)[1].max() > 0.005


def test_front_teeth_look_to_the_viewer_and_back_teeth_lie_in_the_dark():
    head = head_arrays(NAMED["adult"])
    teeth = head["part"] == TEETH
    depth = head["neutral"][teeth, 2].max() - head["neutral"][teeth, 2]
    assert head["occlusion"][teeth][depth < 0.004].min() > 0.95
    assert head["occlusion"][teeth][depth > 0.032].max() < 0.3


def test_a_smile_shows_teeth_lighter_than_the_lips():
    """Upper teeth came out slate grey once: their normals were those of the biting edge."""
    smile = np.zeros((1, 51))
    for name in ("mouthSmileLeft", "mouthSmileRight", "mouthUpperUpLeft", "mouthUpperUpRight"):
        smile[0, BLENDSHAPES.index(name)] = 0.8
    picture = render(smile, rig=FaceRig.from_anny("woman"))[0].astype(int)
    white = (picture.min(axis=-1) > 150) & (np.ptp(picture, axis=-1) < 40)
    mouth = white[125:190, 80:144]  # rows and columns about the mouth, of 224
    assert mouth.sum() > 40


def test_the_tile_shows_enamel_at_the_edge_and_gums_above():
    tile = draw_teeth(139).astype(int)
    for middle_of_a_tooth, half in ((13, 0), (8, 70)):
        enamel, gum = tile[half + 25, middle_of_a_tooth], tile[half + 62, middle_of_a_tooth]
        assert enamel.min() > 195
        assert gum[0] > 1.4 * gum[1]
