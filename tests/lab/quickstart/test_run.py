"""The quickstart as `make quickstart` runs it, once, and what it leaves behind."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

import commands
from contrast import assert_readable
from emo3d_lab.quickstart.report import Row
from emo3d_lab.quickstart.run import GENERATOR, REFERENCES, check_order, run
from emo3d_lab.sentinels import NEUTRAL, PRIOR, SENTINELS, TEXT_ONLY

WAYS = ("raw", "calibrated")
SHARED = Path(__file__).resolve().parents[4] / "shared"
RELEASE, READERS = SHARED / "real_emo3d", SHARED / "readers"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = tmp_path_factory.mktemp("quickstart")
    release = ["--release", str(RELEASE)] if RELEASE.is_dir() else []
    return out, commands.run("quickstart", "--out", out, *release)


def test_the_order_holds(finished):
    _, done = finished
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The order holds" in done.stdout
    for name in ("reference expressions", "mean expression", *SENTINELS):
        assert f" {name} " in done.stdout


def test_sentinels_that_are_not_beaten_are_named(finished):
    """The packaged generator does not do better than a look-up of ten like sentences, whose emotions are known."""
    page = (finished[0] / "report.html").read_text(encoding="utf-8")
    assert "The generator is not better than text-only (KL 0." in page
    assert "; better than constant prior, neutral, shuffled, picture-blind (p &lt; 0.05)." in page


def test_the_reader_has_a_column_where_it_is(finished, tmp_path, monkeypatch):
    assert "<th>KL by face-api ↓</th>" not in (finished[0] / "report.html").read_text(encoding="utf-8")
    assert "`make readers` fetches one" in finished[1].stdout.replace("\n", " ")
    if not READERS.is_dir():
        pytest.skip("the emotion reader is not beside the project")
    monkeypatch.setenv("EMO3D_READERS", str(READERS))
    report = run(tmp_path)
    references, generator = (row.readings[0] for row in report.rows[:2])
    assert references.reader == generator.reader == "face-api"
    assert references.top1 > generator.top1 > 0.5  # prototypes of full strength: 84% in an earlier reading
    assert "<th>KL by face-api ↓</th>" in (tmp_path / "report.html").read_text(encoding="utf-8")


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
    names = {"references": REFERENCES, "generator": GENERATOR, "prior": PRIOR, "neutral": NEUTRAL, "text": TEXT_ONLY}
    return [replace(base, name=names[name], kl=value) for name, value in kl.items()]


@pytest.mark.parametrize(
    ("kl", "failures"),
    [
        ({"references": 0.4, "generator": 0.9, "prior": 1.4, "neutral": 3.0}, 0),
        ({"references": 0.4, "generator": 1.5, "prior": 1.4, "neutral": 3.0}, 1),
        ({"references": 1.0, "generator": 0.9, "prior": 1.4, "neutral": 3.0}, 1),
        ({"references": 1.0, "generator": 1.0, "prior": 1.4, "neutral": 3.0}, 1),  # a tie is no victory
        ({"references": 0.4, "generator": 0.9, "prior": 1.4, "text": 0.8}, 0),  # which sees like sentences' emotions
        ({"references": 0.9, "generator": 1.0, "prior": 1.4, "text": 0.8}, 1),
    ],
)
def test_the_self_check_sees_a_broken_order(kl, failures):
    assert len(check_order(rows(**kl))) == failures
