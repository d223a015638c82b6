"""A study of clips from two files to an agreement page: made, judged in a browser, exported, measured."""

import csv
import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from test_judge import open_judge, start

import commands
from emo3d_lab.building.schema import parquet_schema
from emo3d_lab.clips.rows import clip_of_row, row_of_clip
from emo3d_lab.judging.clips import ClipStudy, open_study
from emo3d_lab.sample.clips import make_clips
from serving import serving

pytestmark = pytest.mark.browser

ANSWERED = 8


def write(path, rows):
    table = [{**row, "frames": list(row["frames"])} for row in rows]  # Arrow takes no 2-D array
    parquet.write_table(pa.Table.from_pylist(table, parquet_schema("clips", {})), path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A study of two systems: the references' own clips are "quagga", their faces at rest "zebra"."""
    folder = tmp_path_factory.mktemp("clip-study")
    rows = list(make_clips("validation", 30, seed=1))
    clips = [clip_of_row(row) for row in rows]
    rest = [replace(clip, frames=np.zeros_like(clip.frames)) for clip in clips]
    write(folder / "quagga.parquet", rows)
    ids = [row["clip_id"] for row in rows]
    write(folder / "zebra.parquet", [row_of_clip(clip, id, "rest") for clip, id in zip(rest, ids, strict=True)])
    made = commands.run(
        *(
            "study",
            write(folder / "beats.parquet", rows),
            "--out",
            folder / "study",
            "--items",
            "12",
            "--checks",
            "0.2",
        ),
        *("--systems", folder / "zebra.parquet", folder / "quagga.parquet", "--backbone", "quickstart"),
    )
    assert made.returncode == 0, made.stderr
    return folder


def frames(page):
    """The pictures that both players show at one moment."""
    return page.evaluate("[...document.querySelectorAll('#judging canvas')].map(canvas => canvas.dataset.frame)")


def test_clips_are_judged_from_two_files_to_the_agreement_page(folder, visit, tmp_path):
    study = open_study(folder / "study")
    assert isinstance(study, ClipStudy)
    with serving(folder, EMO3D_STUDY=folder / "study", EMO3D_AGREEMENT=1) as address:
        page = visit(address, 390, "dark")
        open_judge(page)
        start(page, "Zoë")
        order = study.order("Zoë", "pair")
        for number, task in enumerate(order[:ANSWERED]):
            page.get_by_text(f"Question {number + 1} of {len(order)}").wait_for()
            assert study.by_item[task.item].description in page.locator(".described").inner_text()
            page.wait_for_function("""before => {
                const [first, second] = document.querySelectorAll("#judging canvas");
                return first?.dataset.frame > 0 && first.dataset.frame === second?.dataset.frame;
            }""")
            first, second = frames(page)
            assert first == second  # started together, and of one rate
            wanted = task.systems.index("quagga") if "quagga" in task.systems else 0
            place = wanted != study.is_swapped("Zoë", task)
            page.get_by_role("button", name="Second face" if place else "First face", exact=True).click()
        page.get_by_text(f"Question {ANSWERED + 1} of").wait_for()
        said = page.content() + json.dumps(page.evaluate("window.gradio_config"))
        assert not {word for word in ("zebra", "quagga", "attention") if word in said.replace(study.consent, "")}
        page.get_by_role("button", name="Play or pause: First face to judge").click()
        page.wait_for_timeout(300)
        assert page.locator("#judging .clip-play").all_inner_texts() == ["Play", "Play"]  # both stand
        still = frames(page)
        page.wait_for_timeout(400)
        assert frames(page) == still

        page.get_by_role("tab", name="Agreement").click()
        page.get_by_text(f"Answers: {ANSWERED}; people: 1").wait_for()

    out = tmp_path / "judgements.csv"
    exported = commands.run("study", "export", folder / "study", "--answers", folder / "answers", "--out", out)
    assert exported.returncode == 0, exported.stderr
    rows = list(csv.DictReader(out.read_text().splitlines()))
    assert len(rows) == ANSWERED
    assert {row[f"system_{row['preferred']}"] for row in rows if row["attention"] == "false"} == {"quagga"}
    assert {row["passed"] for row in rows if row["attention"] == "true"} <= {"true"}
    metrics = ("--metrics", folder / "study" / "metrics.csv", "--out", tmp_path / "agreement.html")
    measured = commands.run("meta", out, *metrics)
    assert measured.returncode == 0, measured.stderr
    assert "kl_divergence" in (tmp_path / "agreement.html").read_text()
    # Every judgement preferred the references' own clips, which a divergence prefers to faces at rest.
    (divergence,) = (line for line in measured.stdout.splitlines() if line.startswith("│ kl_divergence "))
    assert float(divergence.split("│")[3].split(",")[0]) >= 0.5


READY = """() => {
    const canvases = [...document.querySelectorAll("#judging canvas")];
    return canvases.length == 2 && canvases.every(canvas => canvas.dataset.frame);
}"""


def test_what_was_not_seen_is_not_judged(folder, visit):
    place = folder / "unseen"
    place.mkdir()
    with serving(place, EMO3D_STUDY=folder / "study") as address:
        page = visit(address)
        open_judge(page)
        start(page, "Ada")
        choices = [page.locator(f"#judge-{name}") for name in ("first", "second", "same")]
        page.wait_for_function(READY)
        page.locator("#judge-first:enabled").wait_for()
        page.route("**/clip.jpeg", lambda route: route.abort())
        page.locator("#judging .clip-time").first.focus()
        page.keyboard.press("1")  # on a slider, too
        page.get_by_text("Question 2 of").wait_for()
        page.get_by_role("button", name="Try again").nth(1).wait_for()
        assert all(choice.is_disabled() for choice in choices)
        assert page.locator("#judging canvas[data-frame]").count() == 0  # nothing of the first question is seen
        assert not page.evaluate("""[...document.querySelectorAll("#judging canvas")].some(canvas =>
            canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.some(Boolean))""")
        page.keyboard.press("1")
        page.wait_for_timeout(1500)
        assert page.get_by_text("Question 2 of").is_visible()

        page.unroute("**/clip.jpeg")
        page.get_by_role("button", name="Try again").first.click()
        page.locator("#judging canvas[data-frame]").wait_for()
        assert all(choice.is_disabled() for choice in choices)  # the other one is still not there
        page.get_by_role("button", name="Try again").click()
        page.wait_for_function(READY)
        page.locator("#judge-second:enabled").wait_for()
        page.keyboard.press("2")
        page.get_by_text("Question 3 of").wait_for()


def test_a_study_says_which_clips_were_judged(folder, tmp_path):
    study = open_study(folder / "study")
    assert len(study.clips) == 12 * 2 + 8
    assert study.hash == json.loads((folder / "study" / "study.json").read_text())["hash"]
    for name in ("study.json", "clips.parquet"):
        (tmp_path / name).write_bytes((folder / "study" / name).read_bytes())
    rows = parquet.read_table(tmp_path / "clips.parquet").to_pylist()
    rows[0]["frames"][0][3] = 0.5
    write(tmp_path / "clips.parquet", rows)
    with pytest.raises(ValueError, match=r"other clips than study\.json"):
        open_study(tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--fits",), "expected no --fits with clips"),
        (("--systems", "short.parquet", "quagga.parquet"), "expected a clip for each of 30 references, got 3"),
        (("--systems", "moved.parquet", "quagga.parquet"), "in the order of the references"),
        (("--systems", "again.parquet", "quagga.parquet"), "expected systems whose faces differ"),
    ],
)
def test_what_is_no_study_of_clips_is_refused(folder, tmp_path, options, message):
    rows = list(make_clips("validation", 30, seed=1))
    write(folder / "short.parquet", rows[:3])
    write(folder / "moved.parquet", rows[::-1])
    write(folder / "again.parquet", rows)
    systems = [] if "--systems" in options else ["--systems", folder / "zebra.parquet", folder / "quagga.parquet"]
    options = [folder / entry if entry.endswith(".parquet") else entry for entry in options]
    made = commands.run("study", folder / "beats.parquet", "--out", tmp_path / "study", *systems, *options)
    assert made.returncode
    assert message in " ".join(made.stderr.split())
    assert not (tmp_path / "study").exists()
