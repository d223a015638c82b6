"""The quickstart as `make quickstart` runs it, once, and what it leaves behind."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

import commands
from contrast import assert_readable
from emo3d_lab.quickstart.report import Row
from emo3d_lab.quickstart.run import GENERATOR, PRIOR, REFERENCES, check_order

WAYS = ("raw", "calibrated")
RELEASE = Path(__file__).resolve().parents[4] / "shared" / "real_emo3d"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("quickstart")
    release = ["--release", str(RELEASE)] if RELEASE.is_dir() else []
    return out, commands.run("quickstart", "--out", out, *release)


def test_the_order_holds(finished):
    _, done = finished
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The order holds" in done.stdout
    for name in ("reference expressions", "mean expression", "neutral face", "shuffled references"):
        assert name in done.stdout


def test_the_report_stands_alone(finished):
    page = (finished[0] / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)
    assert page.count("<article") >= 24
    assert "variant" in page
    assert "backbone" in page


@pytest.mark.skipif(not RELEASE.is_dir(), reason="the real slice of the release is not beside the project")
def test_published_pictures_stand_beside_renders(finished):
    page = (finished[0] / "report.html").read_text(encoding="utf-8")
    for caption in ("published picture", *WAYS):
        assert page.count(f"<figcaption>{caption}</figcaption>") == 13
    raw, calibrated = (re.search(rf"<td>its readings, {name}</td>.*?</tr>", page, re.S)[0] for name in WAYS)
    assert ">38</td>" in raw  # 1 picture with 2 descriptions and 12 with 3
    assert raw.replace("raw", "") != calibrated.replace("calibrated", "")
    assert "network/anny-2" in page


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_report_can_be_read(finished, visit, width, scheme):
    assert_readable(visit((finished[0] / "report.html").as_uri(), width, scheme))


def test_a_face_is_written(finished):
    assert (finished[0] / "face.glb").read_bytes()[:4] == b"glTF"


def rows(**kl):
    base = Row("", 1, None, None, 0.0, (0, 0), 0.5, (0, 0), None)
    names = {"references": REFERENCES, "generator": GENERATOR, "prior": PRIOR, "neutral": "neutral face"}
    return [replace(base, name=names[name], kl=value) for name, value in kl.items()]


@pytest.mark.parametrize(
    ("kl", "failures"),
    [
        ({"references": 0.4, "generator": 0.9, "prior": 1.4, "neutral": 3.0}, 0),
        ({"references": 0.4, "generator": 1.5, "prior": 1.4, "neutral": 3.0}, 1),
        ({"references": 1.0, "generator": 0.9, "prior": 1.4, "neutral": 3.0}, 1),
        ({"references": 1.0, "generator": 1.0, "prior": 1.4, "neutral": 3.0}, 1),  # a tie is no victory
    ],
)
def test_the_self_check_sees_a_broken_order(kl, failures):
    assert len(check_order(rows(**kl))) == failures
