"""The command line as a user runs it: real processes, real files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import commands
from emo3d.blendshapes import BLENDSHAPES
from emo3d.expressions import read_expressions
from emo3d.face import RenderSettings, render
from emo3d.face.calibration import load_calibration
from emo3d.face.export import write_json
from emo3d.generation import ClipExpressionConfig, ClipExpressionModel, ExpressionModel, VaeClipConfig, VaeClipModel
from emo3d.generation.load import QUICKSTART_FOLDER
from hanging import HANGS

RELEASE = Path(__file__).resolve().parents[2] / "shared" / "real_emo3d"


def emo3d(*arguments, expect=0):
    done = commands.run(*arguments)
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout if expect == 0 else done.stderr


def test_generate_writes_a_face_and_its_picture(tmp_path):
    glb, png = tmp_path / "face.glb", tmp_path / "face.png"
    printed = emo3d("generate", "an elderly woman in deep despair", "--out", glb, "--picture", png, "--size", "200")
    assert glb.read_bytes()[:4] == b"glTF"
    assert Image.open(png).size == (200, 200)
    assert any(name in printed for name in ("mouthFrownLeft", "browInnerUp"))


def test_generate_writes_named_scores(tmp_path):
    emo3d("generate", "He grins from ear to ear", "--out", tmp_path / "face.json")
    document = json.loads((tmp_path / "face.json").read_text())
    assert document["space"] == "weights"
    assert set(document["expressions"][0]) == set(BLENDSHAPES)
    assert document["expressions"][0]["mouthSmileLeft"] > 0.3


@pytest.mark.parametrize(("name", "start"), [("face.GLB", b"glTF"), ("face.JSON", b"{"), ("face.CSV", b"Timecode,")])
def test_generate_goes_by_an_ending_in_capitals_too(tmp_path, name, start):
    emo3d("generate", "He grins from ear to ear", "--out", tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(start)


def test_generate_writes_several_samples_from_a_picture(tmp_path, clip_folder):
    torch.manual_seed(0)
    model = VaeClipModel(VaeClipConfig(backbone=clip_folder, embedding_size=8, hidden_size=16)).eval()
    model.save_pretrained(tmp_path / "model")
    Image.new("RGB", (40, 50), (200, 90, 30)).save(tmp_path / "photo.png")
    chosen = ["--model", tmp_path / "model", "--from-picture", tmp_path / "photo.png", "--samples", 2, "--seed", 3]
    emo3d("generate", *chosen, "--calibration", "none", "--out", tmp_path / "face.json")
    expected = model.generate(pictures=[tmp_path / "photo.png"], num_return_sequences=2, seed=3)[0]
    for index in range(2):
        scores, space = read_expressions(tmp_path / f"face-{index}.json")
        assert scores[0] == pytest.approx(expected[index], abs=1e-6)
        assert space == "reading"


def test_generate_draws_several_faces_of_one_strength(tmp_path, tiny_bert):
    torch.manual_seed(0)
    settings = {"hidden_sizes": [8], "proposals": 3, "takes_strength": True}
    model = ExpressionModel.from_encoder(tiny_bert, **settings).eval()
    for weights in model.parameters():
        torch.nn.init.normal_(weights)  # so that all of them move its numbers
    model.save_pretrained(tmp_path / "model")
    chosen = ["--model", tmp_path / "model", "--samples", 2, "--seed", 3, "--strength", 0.5]
    emo3d("generate", "angry", *chosen, "--out", tmp_path / "face.json")
    expected = model.generate(["angry"], num_return_sequences=2, seed=3, strength=0.5)[0]
    assert abs(expected - model.generate(["angry"], num_return_sequences=2, seed=3)[0]).max() > 1e-3
    for index in range(2):
        scores, _ = read_expressions(tmp_path / f"face-{index}.json")
        assert scores[0] == pytest.approx(expected[index], abs=1e-6)


def test_generate_says_what_a_generator_cannot(tmp_path, clip_folder):
    model = ClipExpressionModel(ClipExpressionConfig(backbone=clip_folder, embedding_size=8, hidden_sizes=[4]))
    model.save_pretrained(tmp_path / "model")
    chosen = ["generate", "angry", "--model", tmp_path / "model"]
    for option, value in (("--samples", 2), ("--strength", 0.5)):
        said = emo3d(*chosen, option, value, expect=2)
        assert f"expected another kind of generator for {option} {value}, got ClipExpressionModel" in said


def test_render_writes_every_row(tmp_path):
    write_json(tmp_path / "faces.json", np.random.default_rng(0).random((3, 51)) / 2)
    emo3d("render", tmp_path / "faces.json", "--out", tmp_path / "pictures", "--size", "64")
    assert sorted(path.name for path in (tmp_path / "pictures").iterdir()) == ["00000.png", "00001.png", "00002.png"]


@pytest.mark.parametrize(("method", "said"), [("refine", "refine/anny-2"), ("none", "readings, taken as they are")])
def test_render_calibrates_readings(tmp_path, method, said):
    readings = np.random.default_rng(0).random((2, 51)) / 2
    write_json(tmp_path / "faces.json", readings, space="reading")
    arguments = ["--out", tmp_path / "pictures", "--size", "64", "--calibration", method]
    assert said in " ".join(emo3d("render", tmp_path / "faces.json", *arguments).split())
    expected = render(load_calibration().to_weights(readings, method), settings=RenderSettings(size=64))
    pictures = [np.asarray(Image.open(tmp_path / "pictures" / f"0000{index}.png")) for index in range(2)]
    assert np.abs(pictures - expected.astype(int)).mean() < 0.1


def test_files_of_other_programs_are_rendered_with_what_is_said_of_them(tmp_path):
    """The same face three times: in the user's own names and percent, as iFacialMocap's line, and clipped."""
    (tmp_path / "names.json").write_text(json.dumps({"Mund": "jawOpen"}))
    (tmp_path / "theirs.json").write_text(json.dumps([{"Mund": 100, "timestamp": 7}]))
    (tmp_path / "line.txt").write_text("jawOpen-100|hapihapi-0|=head#1,2,3|")
    (tmp_path / "loud.json").write_text(json.dumps([{"jawOpen": 1.5}]))
    own = ("--names", tmp_path / "names.json", "--scale", "100")
    for name, options in (("theirs.json", own), ("line.txt", ()), ("loud.json", ("--clip",))):
        emo3d("render", tmp_path / name, "--out", tmp_path / name[:-5], "--size", "64", *options)
    pictures = [np.asarray(Image.open(path)) for path in sorted(tmp_path.glob("*/00000.png"))]
    assert len(pictures) == 3
    np.testing.assert_array_equal(pictures[0], render({"jawOpen": 1.0}, settings=RenderSettings(size=64))[0])
    assert all(np.array_equal(pictures[0], picture) for picture in pictures)


@pytest.mark.parametrize("method", ["refine", "none"])
def test_a_generator_of_readings_is_calibrated(tmp_path, method):
    """A generator as if it were trained on the release: its numbers are readings."""
    generator = ExpressionModel.from_pretrained(QUICKSTART_FOLDER, space="reading").eval()
    generator.save_pretrained(tmp_path / "model")
    reading = generator.generate(["He is furious"])
    expected = load_calibration().to_weights(reading, method)[0]
    arguments = ["--model", tmp_path / "model", "--calibration", method, "--out"]
    for name in ("face.json", "face.csv"):
        printed = emo3d("generate", "He is furious", *arguments, tmp_path / name)
        scores, space = read_expressions(tmp_path / name)
        assert scores[0] == pytest.approx(expected, abs=1e-4)
        assert space == ("reading" if (name, method) == ("face.json", "none") else "weights")
    title = "readings, taken as they are" if method == "none" else "weights, from readings by refine/anny-2"
    assert f"leading blendshapes ({title})" in " ".join(printed.split())
    assert any(BLENDSHAPES[index] in printed for index in np.flatnonzero(expected == expected.max()))


def test_no_errors_across_spaces(tmp_path):
    """The sample's blendshapes are weights, as its card says."""
    write_json(tmp_path / "faces.json", np.zeros((250, 51)), space="reading")
    out = tmp_path / "result.json"
    arguments = ["--references", "sample", "--backbone", "quickstart", "--calibration", "refine", "--out", out]
    emo3d("score", tmp_path / "faces.json", *arguments)
    result = json.loads(out.read_text())
    assert (result["mse"], result["mae"]) == (None, None)
    assert "|space:reading|calibration:refine/anny-2|" in result["signature"]


@pytest.mark.skipif(not RELEASE.is_dir(), reason="the real slice of the release is not beside the project")
def test_score_runs_on_the_real_release(tmp_path):
    out = tmp_path / "result.json"
    printed = emo3d("score", RELEASE, "--references", RELEASE, "--backbone", "quickstart", "--out", out)
    result = json.loads(out.read_text())
    # 1 picture with 2 descriptions and 12 with 3, counted in the slice's CSV.
    assert result["n"] == 38
    assert result["mse"] == 0
    assert "space:reading" in printed.replace("\n", "")
    assert 0 < result["emo3d"] < 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["generate", "   "], "blank"),
        (["generate"], "expected either a description or --from-picture"),
        (["generate", "--from-picture", "face.png"], "a generator built on CLIP for --from-picture, got Expression"),
        (["generate", "a smile", "--strength", "2"], "expected a strength of "),
        (["generate", "a smile", "--out", "face.obj"], "expected a file of .glb, .json, .csv, got face.obj"),
        (["generate", "a smile", "--identity", "martian"], "expected an identity of adult"),
        (["generate", "a smile", "--calibration", "raw"], "expected a calibration method of refine, network, none"),
        (["score", "missing.csv", "--references", "sample"], "no such file"),
    ],
)
def test_mistakes_are_one_sentence(arguments, message):
    said = emo3d(*arguments, expect=2)
    assert said.startswith("error: ")
    assert message in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["score", "x.csv", "--refernces", "x"], "no such option: --refernces; did you mean '--references'?"),
        (["score", "x.csv", "--batchsize=8"], "no such option: --batchsize; did you mean '--batch-size'?"),
        (["score", "--xyzzy", "1"], "no such option: --xyzzy"),
        (["--versoin"], "no such option: --versoin; did you mean '--version'?"),
        (["generat", "happy"], "no such command: generat; did you mean 'generate'?"),
        (["xyzzy"], "no such command: xyzzy"),
    ],
)
def test_mistyped_commands_and_options_are_answered_with_the_nearest(arguments, message):
    said = emo3d(*arguments, expect=2)
    lines = [line.strip("│ ") for line in said.splitlines() if line.startswith("│")]
    assert lines == [message]


def test_generate_imports_no_more_than_it_needs(tmp_path):
    """The import of transformers alone takes longer than all else; without a picture, no rig is read either."""
    code = """
import sys
from emo3d.cli.app import app
import emo3d.cli
from emo3d.face import rig
if "--picture" not in sys.argv:
    rig.head_arrays = None
app(standalone_mode=False)
print(*sorted({"transformers", "scipy", "sympy", "pandas", "datasets", "numba"} & set(sys.modules)))
"""
    for arguments, heavy in (
        (["happy", "--out", tmp_path / "face.json"], ""),
        (["happy", "--out", tmp_path / "face.csv"], ""),
        (["happy", "--picture", tmp_path / "face.png"], "numba scipy"),
    ):
        command = [sys.executable, "-c", code, "generate", *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS)
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines()[-1] == heavy


def test_an_unreachable_hub_model_names_quickstart(tmp_path):
    write_json(tmp_path / "faces.json", np.zeros((250, 51)))
    said = emo3d("score", tmp_path / "faces.json", "--references", "sample", expect=2)
    assert "openai/clip-vit-base-patch32" in said
    assert "quickstart" in said


def test_a_terminal_without_unicode_gets_every_face(tmp_path):
    """LANG=C with Python's UTF-8 mode off: arguments arrive undecoded, and the bars of the table cannot be printed."""
    ascii_only = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}

    def run(*arguments):
        command = [sys.executable, "-m", "emo3d", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, env=ascii_only, check=True, timeout=HANGS).stdout.decode(
            "ascii"
        )

    printed = run("generate", "Él está feliz ☺", "--out", tmp_path / "café.json")
    assert "##" in printed
    emo3d("generate", "Él está feliz ☺", "--out", tmp_path / "there.json")
    assert read_expressions(tmp_path / "café.json")[0] == pytest.approx(read_expressions(tmp_path / "there.json")[0])
    assert "wrote 1 pictures" in run("render", tmp_path / "café.json", "--out", tmp_path / "é", "--size", 32)
    assert (tmp_path / "é" / "00000.png").is_file()


@pytest.mark.parametrize("port", ["0", "99999"])
def test_a_port_that_cannot_be_is_a_sentence(port):
    said = emo3d("demo", "--port", port, expect=2)
    assert "--port" in said
    assert "Traceback" not in said


def test_a_folder_that_cannot_be_written_is_said_before_the_work(tmp_path):
    (tmp_path / "file").touch()
    for command in (["quickstart", "--out"], ["sample"], ["retrain"], ["render", tmp_path / "none.json", "--out"]):
        assert f"{tmp_path}/file is a file" in emo3d(*command, tmp_path / "file" / "out", expect=2)


def test_help_names_every_command():
    printed = emo3d("--help")
    for command in "generate render score build inspect extract import quickstart sample retrain".split():
        assert command in printed
