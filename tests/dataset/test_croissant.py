"""Croissant metadata, read by the library of those who wrote the standard."""

import hashlib
import io
import json
import shutil
from pathlib import Path

import mlcroissant
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from emo3d.dataset.builder import Emo3D
from emo3d.dataset.schema import FEATURES
from emo3d.dataset.tally import Tally
from emo3d_lab.building.card import authors
from emo3d_lab.building.croissant import croissant, write_croissant
from emo3d_lab.building.shards import ShardFile, write_dataset
from emo3d_lab.sample.mock import write_release

ARTIFACT = Path(__file__).parents[2] / "dataset_script"
pytestmark = [  # mlcroissant's own
    pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated"),
    pytest.mark.filterwarnings("ignore:The inplace keyword"),
]
CONFIGS = ("default", "pairs", "primitive", "sample")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    release = write_release(tmp_path_factory.mktemp("release") / "emo3d", rows=40, primitive=10)
    out = tmp_path_factory.mktemp("built") / "out"
    builders = [Emo3D(config_name=config, data_dir=str(release / "data"), shard_size=40_000) for config in CONFIGS]
    shards = [shard for builder in builders for shard in builder.shards()]
    write_dataset(out, shards, source={}, finish=lambda files: {"croissant.json": json.dumps(croissant(files))})
    return out


def complaints(document, caplog):
    caplog.clear()
    dataset = mlcroissant.Dataset(jsonld=document)
    issues = dataset.metadata.ctx.issues
    return [*issues.errors, *issues.warnings, *(record.getMessage() for record in caplog.records)]


def test_valid_without_a_warning(built, caplog):
    document = json.loads((built / "croissant.json").read_text())
    assert complaints(document, caplog) == []
    assert complaints(json.loads((ARTIFACT / "croissant.json").read_text()), caplog) == []
    del document["version"], document["@context"]["samplingRate"]
    assert len(complaints(document, caplog)) >= 2  # the check can fail


@pytest.mark.parametrize("config", CONFIGS)
def test_records_are_the_rows(built, config):
    """Every value of every column, as pyarrow reads the same files."""
    records = list(mlcroissant.Dataset(jsonld=str(built / "croissant.json")).records(config))
    files = sorted((built / "data" / config).glob("*.parquet"))
    rows = [(file.name.partition("-")[0], row) for file in files for row in pq.read_table(file).to_pylist()]
    assert len(records) == len(rows) > 10
    faceless = 0
    for record, (split, row) in zip(records, rows, strict=True):
        assert record.pop(f"{config}/split") == split.encode()
        assert list(record) == [f"{config}/{column}" for column in row]
        for column, value in row.items():
            found = record[f"{config}/{column}"]
            if column == "image":
                assert np.array_equal(np.asarray(found), np.asarray(Image.open(io.BytesIO(value["bytes"]))))
            elif isinstance(value, str):
                assert found == value.encode()  # mlcroissant gives text as bytes
            elif column == "descriptions":
                assert found == [text.encode() for text in value]
            else:
                faceless += value is None
                assert found == value
    assert (faceless > 0) == (config in ("default", "primitive"))  # pictures of the made-up release without a face


def test_one_split(built):
    dataset = mlcroissant.Dataset(jsonld=str(built / "croissant.json"))
    records = list(dataset.records("pairs", filters={"pairs/split": "validation"}))
    assert len(records) == sum(pq.read_metadata(path).num_rows for path in built.glob("data/pairs/validation-*"))
    assert {record["pairs/split"] for record in records} == {b"validation"}


def test_what_it_says(built):
    document = json.loads((built / "croissant.json").read_text())
    assert [person["name"] for person in document["creator"]] == authors()
    assert document["license"] == ["https://spdx.org/licenses/MIT", "https://spdx.org/licenses/Apache-2.0"]
    sums = {file["contentUrl"]: file["sha256"] for file in document["distribution"] if "contentUrl" in file}
    found = {path.relative_to(built).as_posix(): path for path in built.glob("data/*/*.parquet")}
    assert sums == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in found.items()}
    fields = {field["@id"]: field for records in document["recordSet"] for field in records["field"]}
    assert set(fields) == {f"{config}/{name}" for config in CONFIGS for name in ("split", *FEATURES[config])}
    assert fields["pairs/intensities"]["arrayShape"] == "8"
    assert fields["default/descriptions"]["arrayShape"] == "-1"
    assert "MediaPipe" in fields["default/blendshapes"]["description"]
    assert "Weights" in fields["sample/blendshapes"]["description"]


def test_url_of_a_published_dataset():
    file = ShardFile("pairs", "test", "data/pairs/test-00000-of-00001.parquet", 1, 1, "ab", Tally())
    assert croissant([file], url="https://example.org/emo3d")["url"] == "https://example.org/emo3d"
    assert croissant([file])["license"] == ["https://spdx.org/licenses/MIT"]


def test_the_artifact_is_described_as_it_is(tmp_path):
    """Else: `python -c "from emo3d_lab.building.croissant import write_croissant as w; w('dataset_script')"`."""
    shutil.copytree(ARTIFACT / "data" / "sample", tmp_path / "data" / "sample")
    assert write_croissant(tmp_path).read_text() == (ARTIFACT / "croissant.json").read_text()


def test_nothing_to_describe(tmp_path):
    with pytest.raises(ValueError, match="at least one file"):
        write_croissant(tmp_path)
