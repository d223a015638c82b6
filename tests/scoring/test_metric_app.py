"""The page of the metric Space: its reading of files, runs through its endpoint, and a visit in a browser."""

import json
import re
import runpy
from html import escape
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from huggingface_hub.repocard_data import model_index_to_eval_results
from pyarrow import csv, parquet

from contrast import assert_readable
from emo3d import BLENDSHAPES, EMOTIONS
from emo3d.scoring import Emo3DResult
from emo3d_lab.sentinels import SENTINELS
from livelink import LIVELINK_HEADER

gradio = pytest.importorskip("gradio", reason="needs the extra [demo]")
yaml = pytest.importorskip("yaml")

HOSTILE = "<img src=x onerror='window.ran = true'> ${window.ran = true} \"smile\" & frown"
ROWS = [
    {"description": text, "intensities": np.eye(8)[index % 8].tolist(), "blendshapes": [0.25] * 51}
    for index, text in enumerate(["a calm face", "a happy face", HOSTILE, *(f"{n} sad women" for n in range(9))])
]


@pytest.fixture(scope="module")
def app():
    from emo3d_lab.apps import score

    return score


@pytest.fixture(scope="module")
def whole():
    from emo3d_lab.apps import metric

    return metric


@pytest.fixture(scope="module")
def url(app, whole, clip_folder):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "BACKBONES", [app.QUICKSTART, clip_folder])
        page = whole.build()
        _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, **whole.LOOK)
        yield url
        page.close()


@pytest.fixture(scope="module")
def client(url):
    from gradio_client import Client

    return Client(url, verbose=False)


@pytest.fixture
def choices(app, clip_folder, tmp_path):
    """What goes to the endpoint, by the names of its arguments, but for the predictions."""
    from gradio_client import handle_file

    references = handle_file(str(write(tmp_path / "references.parquet", wide=False)))
    return {"source": app.UPLOAD, "uploaded": references, "backbone": clip_folder, "k": 2, "space": "weights"}


def write(path, wide):
    table = pa.Table.from_pylist(ROWS)
    if wide:  # a column for each emotion and blendshape
        columns = {"description": [row["description"] for row in ROWS], "other": ["x"] * len(ROWS)}
        columns |= {name: [row["intensities"][i] for row in ROWS] for i, name in enumerate(EMOTIONS)}
        columns |= {name: [row["blendshapes"][i] for row in ROWS] for i, name in enumerate(BLENDSHAPES)}
        table = pa.table(columns)
    if path.suffix == ".csv":
        csv.write_csv(table, path)
    elif path.suffix == ".parquet":
        parquet.write_table(table, path)
    else:
        path.write_text("\n".join(map(json.dumps, table.to_pylist())))
    return path


def write_take(path):
    """A take of Live Link Face with 0.25 in every blendshape."""
    scores = ",".join(["0.25"] * (LIVELINK_HEADER.count(",") - 1))
    path.write_text("\n".join([LIVELINK_HEADER, *(f"00:00:00:{row:02}.000,61,{scores}" for row in range(len(ROWS)))]))
    return path


@pytest.mark.parametrize(
    ("name", "wide"), [("a.csv", True), ("a.parquet", True), ("a.parquet", False), ("a.jsonl", False)]
)
def test_reads_references(app, tmp_path, name, wide):
    references = app.read_references_file(write(tmp_path / name, wide))
    assert references.descriptions == [row["description"] for row in ROWS]
    np.testing.assert_array_equal(references.intensities, [row["intensities"] for row in ROWS])
    np.testing.assert_array_equal(references.expressions, [row["blendshapes"] for row in ROWS])


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.jsonl", "take.csv"])
def test_every_kind_of_predictions_has_the_same_score(client, choices, tmp_path, name):
    """All of them hold the references' own expressions, so the error is 0."""
    from gradio_client import handle_file

    path = write_take(tmp_path / name) if name == "take.csv" else write(tmp_path / name, wide=name == "a.csv")
    numbers, *_, signature, _ = client.predict(handle_file(str(path)), **choices, api_name="/score")
    values = {row[0]: row[1] for row in numbers["data"]}
    shown = [
        "faces",
        "references",
        "Emo3D",
        "KL divergence",
        "recall@k",
        "MSE",
        "MAE",
        "amplitude (1 is best)",
        "descriptions truncated",
    ]
    assert list(values) == shown  # one description is longer than the small tokenizer's window
    assert (values["faces"], values["MSE"]) == ("12", "0.0000")
    assert values["amplitude (1 is best)"] == "1.0000"
    assert "variant:paper|k:2|" in signature


def test_the_parts_of_a_score(app, client, choices, tmp_path):
    from gradio_client import handle_file

    rng = np.random.default_rng(0)
    predictions = tmp_path / "p.jsonl"
    predictions.write_text("\n".join(json.dumps({"blendshapes": row.tolist()}) for row in rng.random((12, 51)) / 2))
    numbers, beside, verdict, plot, by_emotion, by_band, worst, best, signature, files = client.predict(
        handle_file(str(predictions)), **choices, variant="release", model="a: model", api_name="/score"
    )
    result = Emo3DResult.load(next(path for path in files if path.endswith(".json")))
    assert result.signature == signature
    assert numbers["headers"] == app.HEADINGS
    assert beside["headers"] == app.BESIDE
    assert [row[0] for row in beside["data"]] == list(SENTINELS)
    # No face: each of the twelve has a row of emotions of its own, of eight in turn, so the mean has 1/6 or 1/12 of it.
    prior = np.mean([2 * np.log(1 / (share / 2 + 0.01)) for share in [1 / 6] * 8 + [1 / 12] * 4])
    assert beside["data"][0][1] == f"{prior:.4f}"
    assert verdict.startswith("These faces are worse than constant prior (KL ")
    assert by_emotion["data"][0][:3] == ["neutral", 2, f"{result.per_emotion['neutral']['kl_divergence']:.4f}"]
    assert [row[:2] for row in by_band["data"]] == [["0.8-1.0", 12]]
    assert len(plot["data"]) == len(EMOTIONS)

    order = np.argsort(result.per_sample["kl_divergence"])
    for cards, rows in ((worst, order[::-1][:6]), (best, order[:6])):
        values = [float(value) for value in re.findall(r"<b>KL (-?[0-9.]+)</b>", cards)]
        assert values == pytest.approx(result.per_sample["kl_divergence"][rows], abs=0.005)
        assert cards.count('<img src="data:image/jpeg;base64,') == 6
    assert HOSTILE not in worst + best

    card = yaml.safe_load(Path(next(path for path in files if path.endswith(".yml"))).read_text())
    name, results = model_index_to_eval_results(card["model-index"])
    assert name == "a: model"
    assert {one.metric_type for one in results} == {"emo3d", "kl_divergence", "recall_at_k", "mse", "mae", "amplitude"}
    for one in results:
        assert one.metric_value == pytest.approx(getattr(result, one.metric_type), abs=1e-6)
        assert one.metric_args["signature"] == signature
        assert one.dataset_args == {"references": result.references, "n": 12}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"k": 13}, "expected a bank of at least k = 13 descriptions, got 12"),
        ({"space": "reading"}, "the predictions say that their space is weights, got reading"),
        ({"uploaded": None}, "Please upload predictions and references first"),
    ],
)
def test_what_is_wrong_is_said_in_words(client, choices, tmp_path, change, message):
    from gradio_client import handle_file

    take = handle_file(str(write_take(tmp_path / "take.csv")))
    with pytest.raises(Exception, match=message):
        client.predict(take, **choices | change, api_name="/score")


def values_of(client, predictions, references, choices, **options):
    """The table of a result, by its first column."""
    from gradio_client import handle_file

    files = {"uploaded": handle_file(str(references)), **options}
    numbers, *_, signature, _ = client.predict(handle_file(str(predictions)), **choices | files, api_name="/score")
    return {row[0]: row[1] for row in numbers["data"]} | {"signature": signature}


@pytest.mark.parametrize("ending", ["csv", "CSV", "parquet", "jsonl"])
def test_predictions_in_another_order_are_refused_or_matched(client, choices, tmp_path, ending):
    """Each prediction is its own reference's expression, so matched rows have an MSE of 0."""
    with pytest.MonkeyPatch.context() as patch:
        rows = [{**row, "blendshapes": [number / 20] * 51} for number, row in enumerate(ROWS)]
        patch.setitem(globals(), "ROWS", rows)
        references = write(tmp_path / "references.jsonl", wide=False)
        patch.setitem(globals(), "ROWS", [rows[1], rows[0], *rows[2:]])
        predictions = write(tmp_path / f"p.{ending.lower()}", wide=ending.lower() == "csv")
    predictions = predictions.rename(tmp_path / f"p.{ending}")
    with pytest.raises(Exception, match="row 0 has the description 'a happy face' and reference 0 has 'a calm face'"):
        values_of(client, predictions, references, choices)
    assert values_of(client, predictions, references, choices, join="description")["MSE"] == "0.0000"


def test_files_say_the_space_of_predictions(app, client, choices, tmp_path):
    """References are readings; predictions that say nothing are taken as such, or have no MSE."""
    table = pa.Table.from_pylist(ROWS).replace_schema_metadata({"space": "reading"})
    parquet.write_table(table, tmp_path / "readings.parquet")
    predictions = write(tmp_path / "p.jsonl", wide=False)
    files = (client, predictions, tmp_path / "readings.parquet", choices)
    values = values_of(*files, space=app.FROM_FILES)
    assert (values["MSE"], "space:reading" in values["signature"]) == ("0.0000", True)
    values = values_of(*files, space="weights")
    assert values["MSE, MAE, amplitude"] == "none: the references' blendshapes are reading"
    assert "MSE" not in values


FORMULAS = ["=HYPERLINK(0)", "+cmd|' /C calc'!A0", "-2+3", "@SUM(1+1)"]


def test_formulas_of_a_csv_stay_text(client, choices, tmp_path):
    from gradio_client import handle_file

    rows = [{**row, "description": text} for row, text in zip(ROWS, FORMULAS * 3, strict=True)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(globals(), "ROWS", rows)
        references = handle_file(str(write(tmp_path / "r.csv", wide=True)))
        predictions = handle_file(str(write(tmp_path / "p.csv", wide=True)))
    *tables, worst, best, _, files = client.predict(
        predictions, **choices | {"uploaded": references}, model="=1+1", api_name="/score"
    )
    for formula in FORMULAS:
        assert f'<p class="said" title="{escape(formula)}">{escape(formula)}</p>' in worst + best
    cells = [str(cell) for place in (0, 1, 4, 5) for row in tables[place]["data"] for cell in row]
    cells += [cell for path in files for line in Path(path).read_text().splitlines() for cell in line.split(",")]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "@")) or re.match(r"-[^\d ]", cell)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", b""),
        ("a.csv", b"description\n\xff\xfe"),
        ("a.parquet", b"PAR1 and nothing else"),
        ("a.jsonl", b"[[[["),
        ("a.jsonl", b'{"blendshapes": {"jawOpen": "wide"}}'),
        ("a.json", b'{"expressions": null}'),
        ("a.npy", b"\x93NUMPY\x01\x00"),
        ("a.png", b"GIF89a"),
    ],
)
@pytest.mark.parametrize("which", ["predictions", "uploaded"])
def test_broken_files_are_said_in_words_and_without_paths(app, tmp_path, name, content, which):
    files = {
        "predictions": str(write(tmp_path / "p.jsonl", wide=False)),
        "uploaded": str(write_take(tmp_path / "t.csv")),
    }
    (tmp_path / name).write_bytes(content)
    with pytest.raises(gradio.Error) as refused:
        app.score_file(**files | {which: str(tmp_path / name)}, source=app.UPLOAD)
    assert refused.value.message
    assert str(tmp_path) not in refused.value.message


def test_the_space_starts_the_page(whole, monkeypatch):
    started = []
    monkeypatch.setattr(gradio.Blocks, "launch", lambda page, **options: started.append((page.title, options)))
    runpy.run_path(str(Path(__file__).parents[2] / "metric_space" / "app.py"), run_name="__main__")
    assert started == [("Emo3D score", {**whole.LOOK, "max_file_size": "200mb"})]


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (1280, "dark"), (390, "light"), (390, "dark")])
def test_a_visit(app, url, visit, tmp_path, width, scheme):
    page = visit(url, width, scheme)
    for title in ("More settings", "What files should look like"):
        page.get_by_text(title, exact=True).click()
    page.wait_for_timeout(500)  # they open slowly
    assert_readable(page)
    upload, uploaded = page.locator("input[type=file]"), page.locator(".file-preview")  # one gives way to the other
    upload.set_input_files(write(tmp_path / "predictions.csv", wide=True))
    uploaded.wait_for()
    page.get_by_label(app.UPLOAD).check()
    upload.set_input_files(write(tmp_path / "references.jsonl", wide=False))
    uploaded.nth(1).wait_for()
    page.get_by_role("button", name="Score", exact=True).click()
    page.locator(".faces img").first.wait_for()
    assert page.locator(".faces figure:visible").count() == app.FACES
    assert page.locator(".figures:visible").count() == 3
    page.wait_for_timeout(500)  # the button is no longer pressed
    assert_readable(page)
    cards = page.locator(".faces .said:visible").all_inner_texts()
    page.get_by_role("tab", name="Best faces").click()
    page.wait_for_function(f"document.querySelectorAll('.faces figure').length >= {app.FACES}")
    cards += page.locator(".faces .said:visible").all_inner_texts()
    assert HOSTILE in cards  # 12 rows are 6 worst and 6 best; what a file says is text
    assert page.evaluate("window.ran") is None
    bars = page.locator("svg [aria-roledescription=bar]")
    assert bars.count() == len(EMOTIONS)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=tmp_path / f"metric-{width}-{scheme}.png", full_page=True)

    page.get_by_label(app.SAMPLE).check()
    page.get_by_role("button", name="Score", exact=True).click()
    page.get_by_text("expected one prediction per reference, got 12 predictions and 250 references").wait_for()
    page.locator(".faces").first.wait_for(state="hidden")  # an old result beside an error would mislead
