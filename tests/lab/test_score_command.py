"""`emo3d score`, in process; what it prints and writes is the result of `score`."""

import json
import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

from emo3d.cli import app
from emo3d.cli.app import console
from emo3d.emotions import EMOTIONS, distribution
from emo3d.face.export import write_json
from emo3d.scoring import (
    Bank,
    Emo3DResult,
    ScoreSettings,
    load_backbone,
    open_references,
    read_references,
    score,
    score_distributions,
)
from hanging import HANGS

REFERENCES = [
    {"description": f"a {word} face", "intensities": [0.1] * place + [0.3 + place / 10] + [0.1] * (7 - place)}
    for place, word in enumerate("happy sad angry calm afraid smile".split())
]


@pytest.fixture
def files(tmp_path):
    """Predictions, references and a bank of others, as files."""
    import datasets

    expressions = np.random.default_rng(0).random((6, 51)).round(3) / 2
    write_json(tmp_path / "faces.json", expressions)
    datasets.Dataset.from_list(REFERENCES).to_parquet(tmp_path / "references.parquet")
    return tmp_path, expressions


def emo3d_score(folder, *arguments):
    return CliRunner().invoke(
        app,
        ["score", str(folder / "faces.json"), "--references", str(folder / "references.parquet"), *map(str, arguments)],
    )


def test_every_option_reaches_the_score(files, clip_folder):
    folder, expressions = files
    backbone = load_backbone(clip_folder)
    bank = Bank.encode(
        [row["description"] + " two" for row in REFERENCES], [row["intensities"] for row in REFERENCES], backbone
    )
    bank.save(folder / "bank")
    options = {"variant": "release", "k": 3, "epsilon": 0.02, "alpha": 3.0, "identity": "girl", "backbone": clip_folder}
    arguments = [text for name, value in options.items() for text in (f"--{name}", value)]
    out = folder / "out.json"
    done = emo3d_score(folder, *arguments, "--bank", folder / "bank", "--out", out, "--device", "cpu")
    assert done.exit_code == 0, done.output
    expected = score(expressions, REFERENCES, bank=bank, settings=ScoreSettings(**options))
    written = Emo3DResult.load(out)
    assert written.signature == expected.signature
    assert written.kl_divergence == pytest.approx(expected.kl_divergence, abs=1e-6)
    assert written.references == expected.references
    assert json.loads(out.read_text())["per_sample"]["kl_divergence"][5] == pytest.approx(
        expected.per_sample["kl_divergence"][5], abs=1e-6
    )
    half = emo3d_score(folder, *arguments, "--dtype", "bfloat16", "--out", out)
    assert half.exit_code == 0
    assert "|dtype:bfloat16|" in Emo3DResult.load(out).signature


def test_few_faces_look_up_the_sample(tmp_path):
    """Three faces, of which each is better where it belongs than where another one does."""
    smile = {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8, "cheekSquintLeft": 0.5, "cheekSquintRight": 0.5}
    frown = {"browDownLeft": 0.8, "browDownRight": 0.8, "mouthPressLeft": 0.5, "mouthPressRight": 0.5}
    tears = {"browInnerUp": 0.8, "mouthFrownLeft": 0.7, "mouthFrownRight": 0.7}
    texts = {"she is thrilled": "happiness", "he is furious": "anger", "they are heartbroken": "sadness"}
    rows = [{"description": text, "intensities": {emotion: 0.9}} for text, emotion in texts.items()]
    (tmp_path / "references.jsonl").write_text("\n".join(map(json.dumps, rows)))
    divergences = []
    for faces in ([smile, frown, tears], [tears, smile, frown]):
        (tmp_path / "faces.jsonl").write_text("\n".join(map(json.dumps, faces)))
        paths = [str(tmp_path / name) for name in ("faces.jsonl", "references.jsonl", "out.json")]
        options = ["--backbone", "quickstart", "--bank", "sample", "--out", paths[2]]
        done = CliRunner().invoke(app, ["score", paths[0], "--references", paths[1], *options])
        assert done.exit_code == 0, done.output
        written = Emo3DResult.load(paths[2])
        assert "|bank:c39bce621357|" in written.signature  # that of the sample's test split, as in README.md
        divergences.append(written.kl_divergence)
    assert divergences[0] < divergences[1] - 1  # nats


@pytest.mark.skipif(find_spec("faiss") is None, reason="needs the extra [faiss]")
def test_a_bank_that_is_indexed(files, clip_folder):
    """FAISS's Flat is exact, so but for its name the result is that of the bank itself."""
    folder, expressions = files
    options = {"backbone": clip_folder, "k": 2}
    descriptions, intensities = ([row[name] for row in REFERENCES] for name in ("description", "intensities"))
    bank = Bank.encode(descriptions, intensities, load_backbone(clip_folder))
    bank.save(folder / "bank")
    arguments = ["--backbone", clip_folder, "--k", 2, "--bank", folder / "bank", "--index", "Flat"]
    done = emo3d_score(folder, *arguments, "--out", folder / "out.json")
    assert done.exit_code == 0, done.output
    expected, written = (
        score(expressions, REFERENCES, bank=bank, settings=ScoreSettings(**options)),
        Emo3DResult.load(folder / "out.json"),
    )
    assert f"|bank:{bank.hash}+Flat|" in written.signature
    assert written.per_sample["kl_divergence"] == pytest.approx(expected.per_sample["kl_divergence"], abs=1e-6)


def test_details_are_printed_when_asked_for(files, clip_folder):
    folder, expressions = files
    options = {"backbone": clip_folder, "k": 2}
    result = score(expressions, REFERENCES, settings=ScoreSettings(**options))
    short, long = (
        emo3d_score(folder, "--backbone", clip_folder, "--k", 2, *more).output for more in ([], ["--details"])
    )
    assert f"{result.kl_divergence:.4f}" in short
    assert "0.2-0.4" not in short
    for name, group in (result.per_emotion | result.per_band).items():
        lines = long.partition("by the strongest emotion")[2].splitlines()
        (line,) = [line for line in lines if name in line and "│" in line]
        assert f"{group['kl_divergence']:.4f}" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bank", "nowhere"], "expected a bank of bank.parquet and embeddings.safetensors, there is no nowhere"),
        (["--device", "cuda:99"], "expected a device that PyTorch has here, got 'cuda:99'"),
        (["--device", "toaster"], "expected a device that PyTorch has here, got 'toaster'"),
        (["--dtype", "float16"], "expected a dtype of float32 or bfloat16, got 'float16'"),
        (
            ["--k", "7"],
            "expected a bank of at least k = 7 descriptions, got 6: --bank sample has 250",
        ),
        (["--batch-size", "0"], "expected a batch_size of at least 1, got 0"),
        (["--identity", "martian"], "expected an identity of adult"),
        (["--identities", "13"], "expected 1 to 12 identities, got 13"),
        (["--index", "Flat"], "expected --bank FOLDER with --index, for what Flat searches"),
    ],
)
def test_mistakes(files, clip_folder, arguments, message):
    done = emo3d_score(files[0], "--backbone", clip_folder, "--k", 2, *arguments)
    assert isinstance(done.exception, (ValueError, OSError))  # which `main` prints as one sentence, see test_cli.py
    assert message in str(done.exception)


def test_a_bank_of_another_backbone(files, clip_folder, siglip_folder):
    bank = Bank.encode(["a sad face"] * 2, np.eye(8)[:2], load_backbone(siglip_folder))
    bank.save(files[0] / "bank")
    done = emo3d_score(files[0], "--backbone", clip_folder, "--k", 2, "--bank", files[0] / "bank")
    assert f"expected a bank embedded by {clip_folder}@" in str(done.exception)


@pytest.fixture
def readings(tmp_path):
    """Predictions that say nothing of their space, and references whose blendshapes are readings."""
    faces = np.random.default_rng(1).random((6, 51)).round(3) / 2
    np.save(tmp_path / "faces.npy", faces)
    rows = [row | {"blendshapes": face.tolist()} for row, face in zip(REFERENCES, faces[::-1], strict=True)]
    table = pa.Table.from_pylist(rows).replace_schema_metadata({"space": "reading"})
    parquet.write_table(table, tmp_path / "readings.parquet")
    write_json(tmp_path / "weights.json", faces, space="weights")
    return tmp_path, faces, rows


@pytest.mark.parametrize(
    ("file", "option", "space"),
    [
        ("faces.npy", [], "reading"),
        ("faces.npy", ["--space", "reading"], "reading"),
        ("faces.npy", ["--space", "weights"], "weights"),
        ("weights.json", [], "weights"),
    ],
)
def test_the_space_is_the_files_or_the_users_or_the_references(readings, clip_folder, caplog, file, option, space):
    """The number is that of `score` in this space; where it is not that of the references, it is said."""
    folder, faces, rows = readings
    arguments = [folder / file, "--references", folder / "readings.parquet", "--backbone", clip_folder, "--k", 2]
    arguments += [*option, "--out", folder / "out.json"]
    done = CliRunner().invoke(app, ["score", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    written = Emo3DResult.load(folder / "out.json")
    settings = ScoreSettings(backbone=clip_folder, k=2, space=space)
    expected = score(faces, read_references(rows, "reading"), settings=settings)
    assert written.signature == expected.signature
    assert written.kl_divergence == pytest.approx(expected.kl_divergence, abs=1e-6)
    if space == "reading":
        assert written.mse == pytest.approx(((faces - faces[::-1]) ** 2).mean(), abs=1e-6)
    else:
        assert written.mse is None
        assert "no mse, mae and amplitude: the references' blendshapes are reading, not weights" in done.output
    assert ("they are taken as reading, as the references are" in caplog.text) == (file == "faces.npy" and not option)


def test_a_space_that_the_file_contradicts(readings):
    folder = readings[0]
    arguments = [folder / "weights.json", "--references", folder / "readings.parquet", "--space", "reading"]
    done = CliRunner().invoke(app, ["score", *map(str, arguments)])
    assert "the predictions say that their space is weights, got reading" in str(done.exception)


def test_in_python_the_references_say_it_too(readings, clip_folder):
    _, faces, rows = readings
    result = score(faces, read_references(rows, "reading"), backbone=clip_folder, k=2)
    assert "|space:reading|" in result.signature
    assert result.mse is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nosuch.csv", "--references", "sample"], "no such file: nosuch.csv"),
        (["facs.json", "--references", "sample"], "no such file: facs.json; did you mean 'faces.json'?"),
        (["faces.json", "--references", "sampel"], "no such dataset: sampel; did you mean 'sample'?"),
        (["faces.json", "--references", "./references.parqet"], "no such file: references.parqet; did you mean"),
        (["faces.json", "--references", "nosuch.csv"], "no such file: nosuch.csv"),
        (["faces.json", "--references", "faces.json"], "expected references as .csv, .jsonl, .parquet"),
        (["faces.json", "--references", "sample", "--out", "nodir/x.json"], "the folder nodir does not exist"),
        (["faces.json", "--references", "sample", "--out", "."], "expected a file to write, . is a folder"),
        (["faces.json", "--references", "sample", "--bank", "none"], "there is no none/bank.parquet"),
        ([".", "--references", "sample"], "got the folder .; --samples takes folders"),
    ],
)
def test_mistakes_are_answered_before_anything_heavy_is_imported(files, arguments, message):
    code = (
        "import sys\nfrom emo3d.cli import app\ntry:\n    app(sys.argv[1:], standalone_mode=False)\n"
        "except (ValueError, OSError) as error:\n    print(error)\n"
        "print('torch' in sys.modules, 'datasets' in sys.modules)"
    )
    command = [sys.executable, "-c", code, "score", *arguments]
    done = subprocess.run(command, cwd=files[0], capture_output=True, text=True, timeout=HANGS, check=False)
    assert message in done.stdout, done.stdout + done.stderr
    assert done.stdout.endswith("False False\n")


def test_references_from_csv_and_json_lines(files, clip_folder):
    folder, expressions = files
    (folder / "r.jsonl").write_text("\n".join(map(json.dumps, REFERENCES)))
    lines = [",".join(["description", *EMOTIONS])]
    lines += [",".join(map(str, [row["description"], *row["intensities"]])) for row in REFERENCES]
    (folder / "r.csv").write_text("\n".join(lines))
    expected = score(expressions, REFERENCES, settings=ScoreSettings(backbone=clip_folder, k=2))
    for name in ("r.jsonl", "r.csv"):
        arguments = [folder / "faces.json", "--references", folder / name, "--backbone", clip_folder, "--k", 2]
        done = CliRunner().invoke(app, ["score", *map(str, arguments), "--out", str(folder / "out.json")])
        assert done.exit_code == 0, done.output
        written = Emo3DResult.load(folder / "out.json")
        assert (written.references, written.signature) == (expected.references, expected.signature)


def test_baselines(tmp_path, monkeypatch):
    """Of the sample: the four rows, worked out here without `emo3d_lab.baselines`."""
    test, train = (open_references("sample", split=split) for split in ("test", "train"))
    write_json(tmp_path / "faces.json", np.zeros((len(test), 51)))
    arguments = ["--references", "sample", "--backbone", "quickstart", "--baselines"]
    monkeypatch.setattr(console, "width", 120)  # made before the test, it would not ask COLUMNS again
    done = CliRunner().invoke(app, ["score", str(tmp_path / "faces.json"), *arguments])
    assert done.exit_code == 0, done.output
    prior = distribution(train.intensities).mean(axis=0)
    mean = np.tile(train.expressions.mean(axis=0), (len(test), 1))
    known, asked = (load_backbone("quickstart").encode_texts(rows.descriptions).embeddings for rows in (train, test))
    expected = {
        "faces.json": score(np.zeros((len(test), 51)), test, backbone="quickstart"),
        "reference expressions": score(test.expressions, test, backbone="quickstart"),
        "mean expression": score(mean, test, backbone="quickstart"),
        "nearest description": score(train.expressions[(asked @ known.T).argmax(1)], test, backbone="quickstart"),
        "constant prior": score_distributions(prior, test),
    }
    table = done.output.partition("Beside what learns nothing")[2]
    for name, result in expected.items():
        (line,) = [line for line in table.splitlines() if name in line]
        assert f"{result.emo3d:.4f}" in line
        assert f"{result.kl_divergence:.4f}" in line
        assert ("-" if result.mse is None else f"{result.mse:.4f}") in line
        assert line.strip(" │").split()[-1] == ("-" if result.amplitude is None else f"{result.amplitude:.4f}")
