"""The synthetic clips: determinism, splits that share no words, beats that the frames show, and the files in git."""

import re
from itertools import pairwise

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset
from typer.testing import CliRunner

from emo3d.clips import CHANNELS
from emo3d.dataset import open_rows, sample_folder
from emo3d.emotions import EMOTIONS
from emo3d_lab.building.build import build
from emo3d_lab.building.schema import FEATURES
from emo3d_lab.clips.rows import clip_of_row, row_of_clip
from emo3d_lab.sample import SPLITS
from emo3d_lab.sample import lexicon as words
from emo3d_lab.sample.clips import CLIP_ROWS, RATES, make_clips
from emo3d_lab.sample.guard import is_reserved
from emo3d_lab.sample.mock import write_release
from emo3d_lab.sample.prototypes import PROTOTYPES
from emo3d_lab.sample.write import write_clips


@pytest.fixture(scope="module")
def splits():
    return {split: list(make_clips(split, 150, seed=7)) for split in SPLITS}


@pytest.fixture(scope="module")
def every(splits):
    return [row for rows in splits.values() for row in rows]


def same(a, b):
    return a | {"frames": 0} == b | {"frames": 0} and np.array_equal(a["frames"], b["frames"])


def test_same_seed_same_clips_and_another_seed_others():
    a, b, c = list(make_clips("train", 20, 7)), list(make_clips("train", 30, 7)), list(make_clips("train", 20, 8))
    assert all(map(same, a, b))
    assert {row["description"] for row in a}.isdisjoint(row["description"] for row in c)


@pytest.mark.parametrize(("split", "count", "message"), [("dev", 3, "got 'dev'"), ("train", 0, "got a count of 0")])
def test_bad_arguments(split, count, message):
    with pytest.raises(ValueError, match=message):
        next(make_clips(split, count))


def test_rows_are_those_of_the_config(every):
    assert all(list(row) == list(FEATURES["clips"]) for row in every)
    assert len({row["clip_id"] for row in every}) == len({row["description"] for row in every}) == len(every)
    for row in every:
        clip = clip_of_row(row)  # refuses what lies out of range, and beats that are out of order or beyond the end
        assert same(row, row_of_clip(clip, row["clip_id"], "synthetic"))
        assert clip.rate in RATES
        assert np.array_equal(clip.frames, np.round(clip.frames.astype(float), 3).astype(np.float32))
        assert 1 <= len(clip.beats) <= 4
        assert all(beat.intensities and any(beat.intensities) for beat in clip.beats)
        assert 0.4 < clip.duration < 16
    counts = np.bincount([len(row["beats"]) for row in every])
    assert counts[1:].min() > 0.1 * len(every)
    assert {row["rate"] for row in every} == set(RATES)


def test_neighbouring_beats_differ_and_emotions_are_balanced(every):
    leading = [[int(np.argmax(beat["intensities"])) for beat in row["beats"]] for row in every]
    strong = [max(beat["intensities"]) > 0.5 for row in every for beat in row["beats"]]
    pairs = [pair for places in leading for pair in pairwise(places)]
    assert sum(a == b for a, b in pairs) < 0.06 * len(pairs)  # two weak ones that are mostly neutral
    shares = np.bincount(np.concatenate(leading)[strong], minlength=len(EMOTIONS))
    assert shares[1:].min() > 0.5 * shares[1:].mean()
    assert shares[1:].max() < 1.6 * shares[1:].mean()


def test_beats_are_said_in_order_in_the_description(every):
    for row in every:
        text, place = row["description"].lower(), 0
        for beat in row["beats"]:
            clause = beat["description"].lower().rstrip(".!?")
            place = text.find(clause, place)
            assert place >= 0, (row["description"], beat["description"])
            place += len(clause)


def test_descriptions_are_sentences(every):
    for row in every:
        text = row["description"]
        assert re.fullmatch(r"[A-Z].*[.!?]", text), text
        assert not re.search(r"\b[A-Z]{3,}|  |\[|\||\+|[.!?][,;.]| [,;.]|\x00", text), text
        assert re.search(r"[.!?] [a-z]", text) is None, text


def test_test_clips_have_no_word_of_the_others_and_others_none_of_theirs(splits):
    held_out = [e.forms[0] for e in words.entries() if e.held_out and e.kind == "word" and " " not in e.forms[0]]
    kept = {form for e in words.entries() if not e.held_out and e.kind == "word" for form in e.forms if form}
    for row in [*splits["train"], *splits["validation"]]:
        assert not is_reserved(row["description"]), row["description"]
    tokens = set(re.findall(r"[a-z-]+", " ".join(row["description"] for row in splits["test"]).lower()))
    assert len(tokens & set(held_out)) > 50
    alone = {form for form in kept if " " not in form and len(form) > 6} - {
        f for e in words.entries() if e.held_out for f in e.forms
    }
    clauses = set(
        re.findall(r"[a-z-]+", " ".join(e.forms[0] for e in words.entries() if e.held_out or e.kind != "word"))
    )
    assert not tokens & alone - clauses
    train = {row["description"] for row in splits["train"]}
    assert train.isdisjoint(row["description"] for row in splits["validation"])


def test_frames_show_what_their_beats_say(every):
    """In the middle of a strong beat of a plain emotion its own prototype is nearer than each other emotion's."""
    names = [name for name in EMOTIONS if name != "neutral"]
    rows = np.array([[PROTOTYPES[name].get(channel, 0.0) for channel in CHANNELS[:51]] for name in names])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    hits = []
    for row in every:
        for beat in row["beats"]:
            intensities = np.array(beat["intensities"])
            if intensities[1:].max() < 0.8 or (intensities > 0.3).sum() > 1 or beat["end"] - beat["start"] < 1.2:
                continue
            frame = row["frames"][int((0.3 * beat["start"] + 0.7 * beat["end"]) * row["rate"]), :51]
            hits.append(names[int((rows @ frame).argmax())] == EMOTIONS[int(intensities.argmax())])
    assert len(hits) > 100
    assert np.mean(hits) > 0.8  # variants of a prototype, details and blinks are between


# --- the files --------------------------------------------------------------------------------------------------------
def test_the_clips_in_git_are_those_that_the_command_makes():
    folder = sample_folder("clips")
    assert sum(path.stat().st_size for path in folder.iterdir()) < 4_000_000
    for split, count in CLIP_ROWS.items():
        file = pq.ParquetFile(folder / f"{split}.parquet")
        assert file.metadata.num_rows == count
        assert file.schema_arrow.metadata[b"space"] == b"weights"
        first = next(file.iter_batches(4)).to_pylist()
        for stored, made in zip(first, make_clips(split, 4), strict=True):
            assert stored == made | {
                "frames": made["frames"].tolist(),
                "beats": [b | {"intensities": np.float32(b["intensities"]).tolist()} for b in made["beats"]],
            }


def test_written_clips_are_whole_and_the_same_again(tmp_path):
    rows = {"train": 130, "test": 2}
    first, again = (write_clips(tmp_path / name, rows=rows, seed=3) for name in "ab")
    assert [pq.read_metadata(path).num_rows for path in first.values()] == [130, 2]
    assert [a.read_bytes() for a in first.values()] == [b.read_bytes() for b in again.values()]
    ids = pq.read_table(first["train"], columns=["clip_id"])["clip_id"].to_pylist()
    assert ids == list(range(130))


def test_clips_are_opened_by_their_config():
    rows, space = open_rows("sample", "clips", "validation")
    assert (len(rows), space) == (CLIP_ROWS["validation"], "weights")
    assert clip_of_row(rows[0]).description == rows[0]["description"]
    with pytest.raises(ValueError, match="expected the config sample or clips of the embedded sample, got 'pairs'"):
        open_rows("sample", "pairs", "test")


def test_the_command_makes_clips(tmp_path):
    from emo3d.cli import app

    arguments = ["sample", str(tmp_path / "out"), "--clips", "--train", "3", "--validation", "1", "--test", "2"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    counts = {path.stem: pq.read_metadata(path).num_rows for path in (tmp_path / "out").iterdir()}
    assert counts == {"train": 3, "validation": 1, "test": 2}
    result = CliRunner().invoke(app, [*arguments, "--readings"])
    assert "expected --clips or --readings, got both" in str(result.exception)


def test_clips_are_built_beside_the_sample(tmp_path):
    """A folder that holds all that is published: `emo3d build RELEASE OUT --config clips`, of any release."""
    write_release(tmp_path / "release", rows=12)
    report = build(tmp_path / "release", tmp_path / "out", configs=["clips"])
    assert {split: counts["rows"] for split, counts in report["splits"]["clips"].items()} == CLIP_ROWS
    rows = load_dataset(str(tmp_path / "out"), "clips", split="test")
    stored = pq.read_table(sample_folder("clips") / "test.parquet")
    assert rows[:2] == stored[:2].to_pydict()
