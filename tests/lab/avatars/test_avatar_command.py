"""`emo3d avatar`: what it prints, and what it refuses before any work."""

import pytest
from typer.testing import CliRunner

import emo3d_lab.cli.avatar  # noqa: F401 (enters the command)
from avatar_files import File
from emo3d.cli.app import app


def run(*arguments):
    return CliRunner().invoke(app, ["avatar", *map(str, arguments)])


def test_it_writes_a_person_and_says_which_words_decided(tmp_path):
    out = tmp_path / "her.vrm"
    done = run("a tired tall woman in a red shirt", "--out", out)
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert {"tall: height 0.52", "woman: gender 1.0", "red shirt: shirt red"} <= set(lines)
    assert "says nothing of the person: tired" in lines
    assert File(out).document.extensions["VRMC_vrm"]["meta"]["name"] == "a tired tall woman in a red shirt"


def test_words_of_another_language_are_said_to_be_unknown(tmp_path):
    done = run("ein müder alter Fischer", "--out", tmp_path / "er.glb")
    assert done.exit_code == 0, done.output
    assert "the default adult" in done.output


def test_an_identity_with_phenotypes(tmp_path):
    out = tmp_path / "him.glb"
    done = run("--identity", "elderly-man", "--phenotype", "weight=0.8", "--phenotype", "age=0.9", "--out", out)
    assert done.exit_code == 0, done.output
    identity = File(out).document.asset.extras["identity"]
    assert identity["phenotype"] == {"gender": 0.0, "age": 0.9, "weight": 0.8}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "expected a description or --identity"),
        (["a man", "--identity", "man"], "expected a description or --identity"),
        (["  "], "got a blank one"),
        (["a man", "--out", "him.fbx"], r"\.glb"),
        (["a man", "--phenotype", "age"], "as age=0.8, got 'age'"),
        (["a man", "--phenotype", "age=old"], "got 'age=old'"),
        (["a man", "--phenotype", "age=2"], "got age = 2.0"),
        (["--identity", "elderly-mann"], "did you mean 'elderly-man'"),
    ],
)
def test_refuses_with_a_sentence(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    error = run(*arguments).exception
    assert isinstance(error, ValueError)
    with pytest.raises(ValueError, match=message):
        raise error
    assert list(tmp_path.iterdir()) == []
