"""Avatars in other people's viewers, in Chromium: TalkingHead speaks and shows moods, three-vrm shows expressions."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image

from avatar_pages import TALKING_HEAD, THREE_VRM

pytestmark = pytest.mark.browser


@pytest.fixture
def show(visit, shelf):
    """Opens a page with a file, waits until it is loaded, and refuses errors on the console."""
    pages = []

    def shown(file, page):
        folder, address = shelf
        shutil.copy(file.path, folder / file.path.name)
        (folder / "page.html").write_text(page.replace("NAME", file.path.name), encoding="utf-8")
        view = visit(f"{address}/page.html")
        view.on("console", lambda line: pages.append(line.text) if line.type == "error" else None)
        view.reload()
        view.wait_for_function("window.ready || window.failed", timeout=240_000)
        assert view.evaluate("window.failed || null") is None
        return view

    yield shown
    assert pages == []


def influences(view):
    return view.evaluate("influences()")


def test_talking_head_shows_moods(show, fisherman):
    view = show(fisherman, TALKING_HEAD)
    for mood, sign in (
        ("happy", "face.mouthSmile > 0.12 && face.mouthFrownLeft < 0.1 && face.browDownLeft < 0.3"),
        ("angry", "face.browDownLeft > 0.4 && face.browDownRight > 0.4 && face.mouthSmile < 0.05"),
        ("sad", "face.mouthFrownLeft > 0.4 && face.browInnerUp > 0.1 && face.mouthSmile < 0.05"),
        ("sleep", "face.eyeBlinkLeft > 0.7 && face.eyeBlinkRight > 0.7"),
    ):
        view.evaluate(f"head.setMood('{mood}')")
        view.wait_for_function(f"const face = influences(); return {sign}".join(("() => { ", " }")), timeout=120_000)


def test_talking_head_speaks(show, fisherman):
    """Words and a made tone; its English module says which visemes they are: lips closed, then a vowel.

    Said again until frames have met both: without a graphics card there are two or three a second.
    """
    view = show(fisherman, TALKING_HEAD)
    view.mouse.click(10, 10)  # browsers give no sound before
    view.evaluate("setInterval(() => head.isSpeaking || speak(['bob', 'map'], [0, 4000], [4000, 4000]), 500)")
    view.wait_for_function("peaks.viseme_PP > 0.4 && Math.max(peaks.viseme_aa, peaks.viseme_O) > 0.2", timeout=240_000)


def test_talking_head_keeps_it_upright_with_its_arms_down(show, fisherman):
    view = show(fisherman, TALKING_HEAD)
    view.wait_for_timeout(3000)
    place = {name: view.evaluate(f"place('{name}')") for name in ("Head", "Hips", "LeftHand", "RightHand", "LeftFoot")}
    assert place["Head"][1] > place["Hips"][1] + 0.4 > place["LeftFoot"][1] + 1
    for side, sign in (("LeftHand", 1), ("RightHand", -1)):
        assert 0.1 < sign * place[side][0] < 0.6
        assert abs(place[side][1] - place["Hips"][1]) < 0.35


def test_three_vrm_reads_all_expressions_and_bones(show, vrm):
    view = show(vrm, THREE_VRM)
    # VRMC_vrm 1.0, "expressions.md" and "humanoid.md"
    presets = "happy angry sad relaxed surprised neutral aa ih ou ee oh blink blinkLeft blinkRight".split()
    presets += "lookUp lookDown lookLeft lookRight".split()
    assert set(presets) <= set(view.evaluate("Object.keys(vrm.expressionManager.expressionMap)"))
    assert len(view.evaluate("Object.keys(vrm.expressionManager.customExpressionMap)")) == 52
    bones = view.evaluate("Object.keys(vrm.humanoid.humanBones)")
    assert len(bones) == 54  # VRM's 55 but the jaw
    assert view.evaluate("vrm.meta.metaVersion") == "1"


EXPRESSIONS = [  # what moves, and what must not
    ("happy", ["mouthSmileLeft", "mouthSmileRight"], ["mouthFrownLeft"]),
    ("angry", ["browDownLeft", "browDownRight"], ["mouthSmileLeft"]),
    ("sad", ["browInnerUp", "mouthFrownLeft"], ["mouthSmileLeft"]),
    ("surprised", ["eyeWideLeft", "jawOpen"], ["browDownLeft"]),
    ("aa", ["jawOpen"], ["mouthPucker"]),
    ("ou", ["mouthPucker"], ["mouthSmileLeft"]),
    ("blinkLeft", ["eyeBlinkLeft"], ["eyeBlinkRight"]),
    ("NoseSneerRight", ["noseSneerRight"], ["noseSneerLeft", "mouthFunnel"]),
]


def test_three_vrm_shows_expressions(show, vrm):
    view = show(vrm, THREE_VRM)
    for expression, moved, still in EXPRESSIONS:
        view.evaluate(f"vrm.expressionManager.setValue('{expression}', 1); draw(1, 4)")
        weights = influences(view)
        assert all(weights[name] > 0.3 for name in moved), expression
        assert all(weights[name] == 0 for name in still), expression
        view.evaluate(f"vrm.expressionManager.setValue('{expression}', 0)")


TARGETS = [  # in front of the face and to the person's left, right, above, below
    ("3, 1.7, 4", ["eyeLookOutLeft", "eyeLookInRight"], ["eyeLookInLeft", "eyeLookOutRight"]),
    ("-3, 1.7, 4", ["eyeLookInLeft", "eyeLookOutRight"], ["eyeLookOutLeft", "eyeLookInRight"]),
    ("0, 5, 4", ["eyeLookUpLeft", "eyeLookUpRight"], ["eyeLookDownLeft"]),
    ("0, -2, 4", ["eyeLookDownLeft", "eyeLookDownRight"], ["eyeLookUpLeft"]),
]


def test_three_vrm_turns_the_eyes_to_a_target(show, vrm):
    view = show(vrm, THREE_VRM)
    for target, moved, still in TARGETS:
        view.evaluate(f"lookAt({target}); draw(1, 4)")
        weights = influences(view)
        assert all(weights[name] > 0.3 for name in moved), target
        assert all(weights[name] == 0 for name in still), target


def test_three_vrm_draws_a_person(show, vrm):
    """What is drawn has the colours of the clothes that the words named, and skin above them."""
    view = show(vrm, THREE_VRM)
    view.evaluate("draw(1, 4.6)")
    picture = Image.open(io.BytesIO(view.locator("canvas").screenshot())).convert("RGB")
    pixels = np.asarray(picture).astype(int)
    person = (np.abs(pixels - pixels[5, 5]) > 12).any(axis=2)
    assert 0.08 < person.mean() < 0.5
    rows = np.flatnonzero(person.any(axis=1))
    forehead, chest = (rows[0] + int(share * np.ptp(rows)) for share in (0.05, 0.3))
    red, _, blue = pixels[forehead, person[forehead]].mean(axis=0)
    assert red > blue + 20
    red, _, blue = pixels[chest, 345:355].mean(axis=0)
    assert blue > red + 5  # navy
