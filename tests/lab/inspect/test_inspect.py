"""Every count is known by hand: the datasets are made here, row by row, with faults planted where a comment says so."""

import csv
import json
import re
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from contrast import assert_readable
from emo3d.blendshapes import BLENDSHAPES
from emo3d.dataset.tables import COLUMNS
from emo3d.emotions import EMOTIONS
from emo3d_lab.building.schema import parquet_schema
from emo3d_lab.inspect import Flagged, inspect_dataset, write_inspection
from hanging import HANGS
from real_slice import REAL, real

HOSTILE = "A grin <script>window.ran = true</script> [red]\x1b[31m & more"


def emotions(**intensities):
    return [intensities.get(name, 0.0) for name in EMOTIONS]


def face(**scores):
    return [scores.get(name, 0.0) for name in BLENDSHAPES]


def row(sample_id, variant, descriptions, intensities, picture, blendshapes):
    image = picture and {"bytes": picture, "path": None}
    return {
        "sample_id": sample_id,
        "variant": variant,
        "prompt_type": "prompt1" if variant == 1 else "prompt2",
        "descriptions": descriptions,
        "intensities": intensities,
        "image": image,
        "blendshapes": blendshapes,
    }


# No picture here can be decoded: an inspection that tried would fail.
TRAIN = [
    row(1, 1, ["She smiles.", "A happy face"], emotions(happiness=0.9, neutral=0.1), b"one", face(mouthSmileLeft=0.8)),
    row(1, 2, ["She smiles.", "A happy face"], emotions(happiness=0.9, neutral=0.1), b"two", None),  # no face
    row(2, 1, ["she  SMILES. "], emotions(happiness=0.3), b"one", face(mouthSmileLeft=0.4)),  # sample 1 again
    row(3, 1, ["In tears"], emotions(), None, face(jawOpen=0.1)),  # no picture, no distribution
    row(3, 1, ["In tears"], emotions(sadness=0.5, fear=0.5), b"three", face(mouthClose=0.2)),  # again; tied
    row(4, 1, [" "], emotions(anger=1.2), b"four", face(jawOpen=1.3)),  # no text, both out of range
]
TEST = [
    row(5, 1, ["SHE SMILES.", HOSTILE], emotions(sadness=1), b"five", face(browInnerUp=0.5)),  # text of train
    row(6, 1, ["Dull"], emotions(neutral=0.7), b"four", face(browInnerUp=0.6)),  # picture of train
    row(4, 2, ["A plain look"], emotions(neutral=0.2), b"six", face()),  # sample_id of train
]


def write(path, rows, schema=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two splits in the types of the built dataset."""
    folder = tmp_path_factory.mktemp("planted")
    for split, rows in (("train", TRAIN), ("test", TEST)):
        write(folder / f"{split}.parquet", rows, parquet_schema("default", {"space": "reading"}))
    return folder


@pytest.fixture(scope="module")
def planted(folder):
    return inspect_dataset(str(folder))


def test_rows_samples_and_repeated_rows(planted):
    train, test = planted.splits
    assert (train.name, train.rows, train.samples) == ("train", 6, 4)
    assert (test.name, test.rows, test.samples) == ("test", 3, 3)
    assert train.repeated_rows == Flagged(1, ("train row 4 (sample_id 3)",))
    assert train.groups == {"prompt_type": {"prompt1": 5, "prompt2": 1}}


def test_descriptions(planted):
    found = planted.splits[0].descriptions
    # Seven texts that are not blank: 2 + 2 + 1 + 1 + 1; "She smiles.", "A happy face", "In tears".
    assert (found.total, found.unique, found.rows_without) == (7, 3, 1)
    # Under samples 1 and 2, in the first three rows. "In tears" is twice under one sample: not a repeated text.
    assert (found.repeated, found.rows_repeated) == (Flagged(1, ("She smiles.",)), 3)
    assert found.words == {2: 2, 3: 1}
    assert found.quartiles == (2, 2, 2, 2.5, 3)


def test_pictures(planted):
    found = planted.splits[0].pictures
    assert (found.total, found.missing, found.by_path, found.unique) == (6, 1, 0, 4)
    assert found.repeated == Flagged(1, ("sample_id 1 and sample_id 2",))


def test_intensities(planted):
    found = planted.splits[0].intensities
    assert found.invalid == Flagged(1, ("train row 5 (sample_id 4): anger = 1.2",))
    assert (found.rows, found.without_distribution) == (5, 1)
    assert found.zero == {**dict.fromkeys(EMOTIONS, 5), "neutral": 3, "happiness": 2, "sadness": 4, "fear": 4}
    # 0.3 is in (0.2, 0.3] and 0.9 in (0.8, 0.9], although float32 puts them a little higher and lower.
    assert found.histogram["happiness"] == (0, 0, 1, 0, 0, 0, 0, 0, 2, 0)
    assert found.histogram["neutral"] == (2, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    # (0.9, 0.1), (0.9, 0.1), (1), (0.5, 0.5): over four rows.
    expected = dict(zip(EMOTIONS, emotions(neutral=0.2, happiness=2.8, sadness=0.5, fear=0.5), strict=True))
    assert found.mean_distribution == pytest.approx({name: share / 4 for name, share in expected.items()}, abs=1e-6)
    assert found.dominant == {**dict.fromkeys(EMOTIONS, 0), "happiness": 3, "tied": 1}


def test_faces(planted):
    found = planted.splits[0].faces
    assert (found.total, found.missing, found.counted) == (6, 1, 4)
    assert found.invalid == Flagged(1, ("train row 5 (sample_id 4): jawOpen = 1.3",))
    assert found.close_above_open == 1
    smile, jaw = found.scores["mouthSmileLeft"], found.scores["jawOpen"]
    # 0.8, 0.4, 0, 0: mean 0.3, variance (0.25 + 0.01 + 0.09 + 0.09) / 4 = 0.11.
    assert (smile.mean, smile.std, smile.min, smile.max) == pytest.approx((0.3, 0.11**0.5, 0, 0.8), abs=1e-6)
    assert (smile.p95, smile.active) == pytest.approx((0.8, 0.5))
    assert (jaw.max, jaw.active) == pytest.approx((0.1, 0))  # 0.1 is not above 0.1, in float32 neither
    assert found.by_emotion == {**dict.fromkeys(EMOTIONS, 0), "happiness": 2, "tied": 1}
    assert found.mean_by_emotion["happiness"] == pytest.approx(face(mouthSmileLeft=0.6), abs=1e-6)


def test_faces_of_all_splits_together(planted):
    assert (planted.faces.total, planted.faces.counted) == (9, 7)
    assert planted.faces.scores["browInnerUp"].mean == pytest.approx(1.1 / 7, abs=1e-6)


def test_percentile_and_words_against_counting(tmp_path):
    """Scores 0.00, 0.01, ..., 0.99: 95 of the 100 are at most 0.94."""
    write(tmp_path / "train.parquet", [{"blendshapes": face(jawOpen=n / 100)} for n in range(100)])
    score = inspect_dataset(str(tmp_path)).faces.scores["jawOpen"]
    assert (score.p95, score.active) == (0.94, 0.89)  # 0.11 to 0.99


def test_leakage(planted):
    found = {shared.what: shared for shared in planted.shared}
    assert set(found) == {"description", "picture", "sample_id"}
    assert all(shared.splits == ("train", "test") and shared.count == 1 for shared in found.values())
    assert (found["description"].rows, found["description"].examples) == ((3, 1), ("She smiles.",))
    assert found["picture"].examples == ("sample_id 4 in train and sample_id 6 in test",)
    assert (found["sample_id"].rows, found["sample_id"].examples) == ((1, 1), ("sample_id 4",))


def test_findings_name_each_fault_the_gravest_first(planted):
    assert [(finding.gravity, finding.count) for finding in planted.findings[:6]] == [("error", 1)] * 6
    gravities = [finding.gravity for finding in planted.findings]
    assert gravities == sorted(gravities, key=["error", "warning", "note"].index)
    said = [finding.sentence for finding in planted.findings]
    assert said[0] == "1 description is in both train and test (3 and 1 rows), for example: “She smiles.”"
    for part in (
        "expressions in train, for example: train row 5 (sample_id 4): jawOpen = 1.3",
        "for example: train row 5 (sample_id 4): anger = 1.2",
        "The same sample_id (and variant) again: 1 of 6 rows in train, for example: train row 4 (sample_id 3)",
        "All eight intensities 0, so no emotion distribution: 1 of 6 rows in train",
        "under several sample_ids: 1 of 3 different descriptions in train, for example: “She smiles.”",
        "under several sample_ids: 1 of 4 different pictures in train",
        "No scores, as where no face was found: 1 of 6 expressions in train",
        "mouthClose above jawOpen: 1 of 4 expressions in train",
    ):
        assert any(part in sentence for sentence in said), part


def test_pairs_of_a_sample_are_no_duplicates(tmp_path):
    """Two descriptions x two expressions of one sample, and one pair twice."""
    pairs = [(7, variant, text) for variant in (1, 2) for text in ("A grin", "She grins")] + [(7, 2, "A grin")]
    rows = [
        {"sample_id": s, "variant": v, "prompt_type": "prompt1", "description": text}
        | {"intensities": emotions(happiness=1), "blendshapes": face(jawOpen=0.2)}
        for s, v, text in pairs
    ]
    write(tmp_path / "train.parquet", rows, parquet_schema("pairs", {}))
    (train,) = inspect_dataset(str(tmp_path)).splits
    assert (train.descriptions.total, train.descriptions.unique, train.descriptions.repeated.count) == (5, 2, 0)
    assert train.repeated_rows == Flagged(1, ("train row 4 (sample_id 7)",))
    assert (train.pictures, train.samples) == (None, 1)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([0.1] * 52, "expected 51 numbers, got 52"),
        ([], "expected 51 numbers, got 0"),
        (face(jawOpen=-0.001), "jawOpen = -0.001"),
        (face(jawOpen=float("nan")), "jawOpen = nan"),
        (face(jawOpen=None), "jawOpen = None"),
    ],
)
def test_scores_of_other_shapes_are_counted(tmp_path, value, said):
    write(tmp_path / "train.parquet", [{"blendshapes": value}, {"blendshapes": face(jawOpen=0.4)}])
    (train,) = inspect_dataset(str(tmp_path)).splits
    assert train.faces.invalid == Flagged(1, (f"train row 0: {said}",))
    assert train.faces.scores["jawOpen"].max == 0.4
    assert (train.samples, train.descriptions, train.intensities) == (None, None, None)


def test_without_sample_ids_a_row_is_a_sample(tmp_path):
    write(tmp_path / "train.parquet", [{"description": text, "other": 1} for text in ("Joy", "joy ", "Grief")])
    write(tmp_path / "test.parquet", [{"description": "Calm", "other": 1}])
    found = inspect_dataset(str(tmp_path))
    train = found.splits[0].descriptions
    assert (train.unique, train.repeated, train.rows_repeated) == (2, Flagged(1, ("Joy",)), 2)
    assert found.shared == ()  # row numbers are no sample_ids
    assert found.ignored == ("other",)


def test_one_split_one_file_or_json_lines(folder, tmp_path):
    assert [split.name for split in inspect_dataset(str(folder), splits=["test"]).splits] == ["test"]
    assert inspect_dataset(str(folder / "test.parquet")).splits[0].rows == 3
    (tmp_path / "train.jsonl").write_text(json.dumps({"description": "Joy"}) + "\n", encoding="utf-8")
    assert inspect_dataset(str(tmp_path)).splits[0].descriptions.unique == 1


def test_a_picture_by_path_only_is_said(tmp_path):
    rows = [
        row(1, 1, ["Joy"], emotions(happiness=1), None, face()) | {"image": {"bytes": None, "path": "far/away.jpeg"}}
    ]
    write(tmp_path / "train.parquet", rows, parquet_schema("default", {}))
    found = inspect_dataset(str(tmp_path))
    assert (found.splits[0].pictures.by_path, found.splits[0].pictures.missing) == (1, 0)
    assert any("Given as a path, so not compared" in finding.sentence for finding in found.findings)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"splits": ["dev"]}, "expected a split of train, test, got 'dev'"),
        ({"config": "missing"}, "missing"),
    ],
)
def test_unknown_parts_are_refused(folder, arguments, message):
    with pytest.raises(ValueError, match=message):
        inspect_dataset(str(folder), **arguments)


def test_nothing_to_inspect_is_refused(tmp_path):
    write(tmp_path / "train.parquet", [{"other": 1}])
    with pytest.raises(ValueError, match=r"expected some of the columns description, .* got other"):
        inspect_dataset(str(tmp_path))


def test_the_embedded_sample_has_no_leakage():
    found = inspect_dataset("sample")
    # The sample's card: 200, 50 and 250 rows; no description twice.
    assert {split.name: split.rows for split in found.splits} == {"train": 200, "validation": 50, "test": 250}
    assert all(split.descriptions.unique == split.pictures.unique == split.rows for split in found.splits)
    assert found.shared == ()
    assert {finding.gravity for finding in found.findings} <= {"note"}


@real
def test_the_release_as_it_is():
    found = inspect_dataset(str(REAL))
    (split,) = found.splits
    assert split.name == "train"  # as the build calls a table that is none of the published three
    # Counted in the slice's CSV: 4 rows, 2 + 3 + 3 + 3 descriptions, 13 pictures with 13 printed arrays.
    assert (split.rows, split.samples, split.descriptions.total) == (4, 4, 11)
    assert (split.pictures.total, split.pictures.missing, split.pictures.unique) == (13, 0, 13)
    assert (split.faces.total, split.faces.counted) == (13, 13)
    assert split.groups == {"prompt_type": {"prompt2": 3, "prompt1": 1}}
    assert split.problems == {}


def test_faults_of_a_release_are_counted(tmp_path):
    """Three rows of one picture each: scores out of range in the first, a bad intensity in the second."""
    bad = "[0. " + "0.5 " * 50 + "1.3]"
    good = bad.replace("1.3", "0.3")
    columns = {"prompt_type": "prompt1", "text_1": "Joy", **dict.fromkeys(EMOTIONS, "0.5"), "img_1": "a_images/1.jpeg"}
    rows = [
        {"sample_id": "1", **columns, "blenshape_score_1": bad},
        {"sample_id": "2", **columns, "blenshape_score_1": good, "anger": "much"},
        {"sample_id": "3", **columns, "blenshape_score_1": good},
    ]
    with (tmp_path / "val_data.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval="")
        writer.writeheader()
        writer.writerows(rows)
    found = inspect_dataset(str(tmp_path))
    (split,) = found.splits
    assert (split.name, split.rows, split.faces.total, split.faces.counted) == ("validation", 2, 1, 1)
    assert (split.pictures.total, split.pictures.missing) == (1, 1)  # there is no archive
    assert {kind: flagged.count for kind, flagged in split.problems.items()} == {"scores": 1, "intensity": 1}
    assert split.problems["intensity"].examples[0].startswith("val_data.csv row 1, anger: ")
    said = [finding.sentence for finding in found.findings]
    assert any("(scores): 1 in validation" in s and "noseSneerRight = 1.3 in row 0" in s for s in said)


def test_the_result_is_json(planted):
    document = json.loads(json.dumps(planted.to_dict(), allow_nan=False))
    assert document["splits"][0]["faces"]["scores"]["mouthSmileLeft"]["mean"] == pytest.approx(0.3, abs=1e-6)
    assert document["findings"][0]["gravity"] == "error"


def test_the_page_shows_everything_and_links_to_nothing(planted, tmp_path):
    write_inspection(planted, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not re.search(r"""(src|href|url)\s*[=(]""", page)
    for part in (*BLENDSHAPES, *EMOTIONS, "She smiles.", "sample_id 4 in train and sample_id 6 in test"):
        assert part in page


@pytest.mark.parametrize("dataset", ["folder", "hostile"])
def test_texts_are_shown_as_text(dataset, request, tmp_path):
    write_inspection(inspect_dataset(str(request.getfixturevalue(dataset))), tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert ("&lt;script&gt;" in page) == ("has no rows" in page) == (dataset == "hostile")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A text with markup of several kinds in two splits, beside an empty split."""
    folder = tmp_path_factory.mktemp("hostile")
    rows = [row(1, 1, [HOSTILE], emotions(fear=1), b"one", face(jawOpen=0.2))]
    for split in ("train", "test"):
        write(folder / f"{split}.parquet", rows, parquet_schema("default", {}))
    pq.ParquetWriter(folder / "validation.parquet", parquet_schema("default", {})).close()
    return folder


def test_the_command_prints_and_writes_page_and_json(hostile, tmp_path):
    page, report = tmp_path / "new" / "page.html", tmp_path / "new" / "report.json"
    options = ("--split", "train", "--split", "test", "--out", page, "--json", report)
    done = subprocess.run(
        [sys.executable, "-c", "from emo3d.cli import main; main()", "inspect", hostile, *options],
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "[red]" in done.stdout
    assert "\x1b" not in done.stdout
    assert json.loads(report.read_text(encoding="utf-8"))["shared"][0]["examples"] == [HOSTILE]
    assert page.is_file()


@pytest.mark.browser
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("dataset", ["sample", "hostile", "folder"])
def test_the_page_asks_for_nothing_and_fits(dataset, request, chromium, tmp_path, width, scheme):
    source = dataset if dataset == "sample" else str(request.getfixturevalue(dataset))
    write_inspection(inspect_dataset(source), tmp_path / "page.html")
    context = chromium.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    requests = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto((tmp_path / "page.html").as_uri())
    assert requests == [(tmp_path / "page.html").as_uri()]
    assert page.evaluate("window.ran") is None
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    clipped = """() => [...document.querySelectorAll(".shapes td, .shapes th, .findings span, .stack i")]
        .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent)"""
    assert page.evaluate(clipped) == []
    assert_readable(page)
    context.close()
