"""Datasets of the Hub are browsed where they lie: through the real client, in a process of its own, on loopback."""

import hashlib
import json
import subprocess
import sys

import pyarrow as pa
import pytest
from pyarrow import parquet

pytest.importorskip("gradio", reason="needs the extra [demo]")

from datasets_to_browse import ROWS, as_printed, picture, write_built, write_table

from hanging import HANGS
from hub import Hub

START = """
import hashlib, json, sys
from emo3d_demo import browse
from emo3d_demo.browse import open_dataset
found = {}

def seen(page):
    rows = [[row.place, row.descriptions, row.blendshapes is not None and float(row.blendshapes[0]),
             row.picture and hashlib.sha256(row.picture).hexdigest()] for row in page.rows]
    return {"rows": rows, "stop": page.stop, "ended": page.is_last, "space": page.space}

def said(name, config="default", split="train"):
    try:
        return str(open_dataset(name).look(config, split))
    except (ValueError, OSError) as error:
        return f"{type(error).__name__}: {error}"
"""


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folder = tmp_path_factory.mktemp("datasets")
    weights = {"description": ["a", "b"], "blendshapes": [[0.5] * 51, [2.0] * 51]}
    built = write_built(folder / "built")
    types = {
        "descriptions": [7],
        "intensities": ["x"],
        "blendshapes": [5],
        "identity": [["girl"]],
        "image": ["/etc/hosts"],
    }
    garbage = write_table(folder / "garbage", weights)
    (garbage / "data.parquet").write_bytes(b"PAR1" + b"x" * 500 + b"PAR1")
    (folder / "none").mkdir()
    (folder / "none" / "none.py").write_text("open('ran', 'w')")
    outside = "---\nconfigs:\n- config_name: x\n  data_files: [{}]\n---\n".format(
        ", ".join(["/etc/*", "https://example.com/a.parquet", "../*.parquet", "file:///etc/passwd"])
    )
    release = {"text_1": ["one", "two"], "text_2": [None, "three"], "fear": [0.0, 0.9]}
    release |= {name: [0.0, 0.0] for name in "neutral happiness surprise sadness anger disgust contempt".split()}
    release |= {"blenshape_score_1": [as_printed([0, 0.271] + [0.5] * 50), None], "img_1": ["a/b.jpeg", None]}
    folders = {
        "built": built,
        "secret": built,
        "weights": write_table(folder / "weights", weights, name="validation.parquet", space="weights"),
        "garbage": garbage,
        "none": folder / "none",
        "columns": write_table(folder / "columns", {"text": ["a"], "label": [1]}),
        "outside": write_table(folder / "outside", weights, card=outside),
        "odd": write_table(
            folder / "odd", weights, card="---\nconfigs: [1, {data_files: {a: 1}}, {data_files: [2]}]\n---\n"
        ),
        "types": write_table(folder / "types", types),
        "release": write_table(folder / "release", release, name="data/emo3d_data.parquet"),
    }
    with Hub({(f"datasets/me/{name}", "main"): folder for name, folder in folders.items()}) as hub:
        hub._repositories["datasets", "me/secret"].private = True
        yield hub


def browse(hub, tmp_path, code, **variables):
    """Run code that fills `found` in a fresh process; what it found."""
    done = subprocess.run(
        [sys.executable, "-c", f"{START}{code}\nprint('FOUND', json.dumps(found))"],
        env=hub.environment(tmp_path / "home") | variables,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=HANGS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.rpartition("FOUND ")[2])


PAGES = """
built = open_dataset("me/built")
found["files"] = built.files
found["pages"], start, ended = [], 0, False
while not ended:
    page = built.look("default", "train", start)
    found["pages"].append(seen(page))
    start, ended = page.stop, page.is_last
found["afraid"] = seen(built.look("default", "train", emotion="fear"))
found["text"] = seen(built.look("default", "train", text="NUMBER</B> 2"))
found["pairs"] = seen(built.look("pairs", "train", 20))
browse.MOST_READ = 10
found["bounded"] = [seen(built.look("default", "train", start, "nobody says this")) for start in (0, 10, 25)]
"""


def test_built_emo3d_is_paged_and_searched(hub, tmp_path):
    found = browse(hub, tmp_path, PAGES)
    train = [f"data/default/train-0000{part}-of-00002.parquet" for part in range(2)]
    assert list(found["files"]) == ["default", "pairs"]  # the default one first; of the sample there are no files
    assert found["files"]["default"] == {"train": train, "test": ["data/default/test-00000-of-00001.parquet"]}

    assert [(len(page["rows"]), page["stop"], page["ended"]) for page in found["pages"]] == [
        (12, 12, False),
        (12, 24, False),
        (6, ROWS, True),
    ]
    rows = [row for page in found["pages"] for row in page["rows"]]
    assert [row[0] for row in rows] == list(range(ROWS))
    for place, descriptions, first, digest in rows:
        assert descriptions == [f"Person {place} is here.", f"<b>Number</b> {place}"]
        assert first == (pytest.approx(place / 100) if place % 5 else False)
        assert digest == hashlib.sha256(picture(place)).hexdigest()
    assert {page["space"] for page in found["pages"]} == {"reading"}

    assert [row[0] for row in found["afraid"]["rows"]] == list(range(0, ROWS, 4))
    assert [row[0] for row in found["text"]["rows"]] == [2, *range(20, 30)]
    assert [row[1] for row in found["pairs"]["rows"]] == [[f"Person {place} is here."] for place in (26, 27, 28, 29)]
    assert [(page["rows"], page["stop"], page["ended"]) for page in found["bounded"]] == [
        ([], 10, False),
        ([], 20, False),
        ([], ROWS, True),
    ]


def test_a_search_reads_no_pictures_but_those_found(hub, tmp_path):
    before = len(hub.requests)
    browse(hub, tmp_path, 'open_dataset("me/built").look("default", "train", text="nobody says this")')
    spans = [span.removeprefix("bytes=").split("-") for _, _, span in hub.requests[before:] if span]
    # Of a file's end 64 KiB are read for the footer, and there are two files.
    assert 0 < sum(int(end) - int(start) + 1 for start, end in spans) < 200_000 < ROWS * len(picture(0)) / 5


def test_what_a_dataset_may_hold(hub, tmp_path):
    code = """
found["splits"] = {name: open_dataset(f"me/{name}").files for name in ("weights", "outside", "odd", "release")}
page = open_dataset("me/weights").look("default", "validation")
found["weights"] = [seen(page), page.rows[1].problem]
page = open_dataset("me/release").look("default", "train")
odd = open_dataset("me/types").look("default", "train").rows[0]
found["types"] = [odd.descriptions, odd.intensities, odd.problem[:8], odd.identity, odd.picture]
found["release"] = [seen(page), page.rows[1].intensities.tolist(), page.rows[0].intensities is None]
"""
    found = browse(hub, tmp_path, code)
    # A card can name its own files only; one that names others, or none, is not believed.
    plain = {"default": {"train": ["data.parquet"]}}
    assert (found["splits"]["outside"], found["splits"]["odd"]) == (plain, plain)
    assert found["splits"]["weights"] == {"default": {"validation": ["validation.parquet"]}}
    weights, problem = found["weights"]
    assert weights["space"] == "weights"
    assert [row[2] for row in weights["rows"]] == [0.5, False]
    assert problem == "expected scores in 0..1, got browDownLeft = 2"
    assert found["types"] == [["7"], None, "expected", "['girl']", None]  # a path is not followed
    # The release as it was published: printed arrays of MediaPipe's 52, of which the first is not an expression's.
    release, intensities, nothing = found["release"]
    assert release["space"] == "reading"
    assert [row[1:3] for row in release["rows"]] == [[["one"], pytest.approx(0.271)], [["two", "three"], False]]
    assert (intensities, nothing) == ([0, 0, 0, 0, 0, 0, 0.9, 0], True)


def test_what_cannot_be_browsed_is_said_in_words(hub, tmp_path):
    (tmp_path / "me" / "folder").mkdir(parents=True)
    names = ["/etc/passwd", "../me/built", "me/folder", "me/built@main", "hf://datasets/me/built", "built", ""]
    names += ["me/nobody", "me/secret", "me/none", "me/columns", "me/garbage"]
    found = browse(hub, tmp_path, f"for name in {names}: found[name] = said(name)")
    expected = "ValueError: Expected sample, or a dataset on the Hub, as in namespace/name."
    assert [found.pop(name) for name in names[:7]] == [expected] * 7
    assert found == {
        "me/nobody": "OSError: The Hub has no dataset me/nobody, or it is not public.",
        "me/secret": "OSError: The Hub has no dataset me/secret, or it is not public.",  # although this process may
        "me/none": "ValueError: Expected a dataset with Parquet files, me/none has none.",
        "me/columns": "ValueError: Expected the columns description and blendshapes, got text, label.",
        "me/garbage": "OSError: The Hub broke off, or a file of this dataset is damaged. Please try again.",
    }
    assert not (tmp_path / "ran").exists()  # a script in a dataset is not even asked for
    assert not [path for _, path, _ in hub.requests if path.endswith(".py")]


@pytest.mark.parametrize("variables", [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}])
def test_without_a_network_the_sample_is_there(hub, tmp_path, variables):
    code = 'found["hub"] = said("me/built"); found["sample"] = len(open_dataset("sample").look("sample", "test").rows)'
    found = browse(hub, tmp_path, code, **variables)
    assert found == {
        "hub": "OSError: The Hub cannot be reached for me/built; the sample needs no network.",
        "sample": 12,
    }


BOMB = """
import resource, sys
from emo3d_demo.browse import Dataset
from emo3d_lab.apps.score import read_references_file
from pathlib import Path
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for use in (lambda: Dataset({"a": {"train": [sys.argv[1]]}}, lambda name: open(name, "rb")).look("a", "train"),
            lambda: read_references_file(Path(sys.argv[1]))):
    try:
        use()
    except (ValueError, OSError) as error:
        assert "at most" in str(error), error
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) >> 10)
"""


def test_a_small_file_does_not_become_gigabytes(tmp_path):
    """20,000 rows with one and the same text of 100 kB: 1.2 kB on disk, 2 GB when all of it is in memory."""
    rows, text = 20_000, pa.array(["x" * 100_000])
    columns = {"description": pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), text)}
    columns |= {name: pa.array([[0.5] * n] * rows) for name, n in (("blendshapes", 51), ("intensities", 8))}
    parquet.write_table(pa.table(columns), tmp_path / "train.parquet", compression="zstd", store_schema=False)
    assert (tmp_path / "train.parquet").stat().st_size < 3000
    command = [sys.executable, "-c", BOMB, tmp_path / "train.parquet"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1024  # MB
