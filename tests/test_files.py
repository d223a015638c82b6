"""Outputs are checked before the work: the reason comes at once, and nothing is made by the check."""

import os

import pytest

from emo3d.files import check_output, check_output_folder


def test_a_file_that_can_be_written(tmp_path):
    assert check_output(str(tmp_path / "x.json"), (".json",)) == tmp_path / "x.json"
    assert check_output(tmp_path / "X.JSON", (".json",)).name == "X.JSON"
    (tmp_path / "old.csv").touch()
    check_output(tmp_path / "old.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["old.csv"]


def test_files_that_cannot(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"expected a file of \.json, \.csv, got x\.txt"):
        check_output(tmp_path / "x.txt", (".json", ".csv"))
    with pytest.raises(OSError, match=r"cannot write x\.json: the folder .*nodir does not exist"):
        check_output(tmp_path / "nodir" / "x.json")
    with pytest.raises(OSError, match=r"cannot write x\.json: the folder .*file is a file"):
        check_output(tmp_path / "file" / "x.json")
    with pytest.raises(OSError, match=r"expected a file to write, .* is a folder"):
        check_output(tmp_path)
    with pytest.raises(OSError, match=r"expected a file to write, .* is a folder"):
        check_output(tmp_path, (".json", ".csv"))
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write everywhere
    with pytest.raises(PermissionError, match="may not write"):
        check_output(tmp_path / "x.json")


def test_folders(tmp_path):
    assert check_output_folder(tmp_path / "a" / "b", empty=True) == tmp_path / "a" / "b"
    assert not (tmp_path / "a").exists()
    (tmp_path / "file").touch()
    check_output_folder(tmp_path)
    with pytest.raises(ValueError, match="expected a new or empty folder"):
        check_output_folder(tmp_path, empty=True)
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match="file is a file"):
            check_output_folder(path)
