"""The page of the metric Space: its reading of files, and a run through its endpoint."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from emo3d import BLENDSHAPES, EMOTIONS

gradio = pytest.importorskip("gradio", reason="needs the extra [demo]")

ROWS = [
    {"description": f"a {word} face", "intensities": np.eye(8)[index].tolist(), "blendshapes": [0.25] * 51}
    for index, word in enumerate(("calm", "happy", "wide", "sad"))
]


@pytest.fixture(scope="module")
def app():
    path = Path(__file__).parents[2] / "metric_space" / "app.py"
    specification = importlib.util.spec_from_file_location("metric_app", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def write(path, wide):
    table = pa.Table.from_pylist(ROWS)
    if wide:  # a column for each emotion and blendshape
        columns = {"description": [row["description"] for row in ROWS], "other": ["x"] * 4}
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


@pytest.mark.parametrize(
    ("name", "wide"), [("a.csv", True), ("a.parquet", True), ("a.parquet", False), ("a.jsonl", False)]
)
def test_reads_references(app, tmp_path, name, wide):
    columns = app.read_references_file(write(tmp_path / name, wide))
    assert columns["description"] == [row["description"] for row in ROWS]
    assert [list(row) for row in columns["intensities"]] == [row["intensities"] for row in ROWS]
    assert [list(row) for row in columns["blendshapes"]] == [row["blendshapes"] for row in ROWS]


def test_scores_through_the_endpoint(app, tmp_path, clip_folder, monkeypatch):
    from gradio_client import Client, handle_file

    monkeypatch.setattr(app, "BACKBONES", [clip_folder])
    file = handle_file(str(write(tmp_path / "a.parquet", wide=False)))
    page = app.build()
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True)
    try:
        assert "127.0.0.1" in url
        client = Client(url, verbose=False)
        arguments = [file, app.UPLOAD, file, clip_folder, "release", 2, "weights"]
        numbers, by_emotion, signature, report = client.predict(*arguments, api_name="/score")
        assert numbers["headers"] == app.HEADINGS
        assert [row[0] for row in numbers["data"]] == ["n", "Emo3D", "KL divergence", "recall@k", "MSE", "MAE"]
        assert [row[:2] for row in by_emotion["data"]] == [[emotion, 1] for emotion in EMOTIONS[:4]]
        assert "variant:release|k:2|" in signature
        assert json.loads(Path(report).read_text())["mse"] == 0
        with pytest.raises(Exception, match="expected a bank of at least k = 9 descriptions, got 4"):
            client.predict(*arguments[:5], 9, "weights", api_name="/score")
    finally:
        page.close()
