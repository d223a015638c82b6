"""`emo3d score`, in process; what it prints and writes is the result of `score`."""

import json
from importlib.util import find_spec

import numpy as np
import pytest
from typer.testing import CliRunner

from emo3d.cli import app
from emo3d.face.export import write_json
from emo3d.scoring import Bank, Emo3DResult, ScoreSettings, load_backbone, score

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
        (line,) = [line for line in long.splitlines() if name in line and "│" in line]
        assert f"{group['kl_divergence']:.4f}" in line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--bank", "nowhere"], "expected a bank of bank.parquet and embeddings.safetensors, there is no nowhere"),
        (["--device", "cuda:99"], "expected a device that PyTorch has here, got 'cuda:99'"),
        (["--device", "toaster"], "expected a device that PyTorch has here, got 'toaster'"),
        (["--dtype", "float16"], "expected a dtype of float32 or bfloat16, got 'float16'"),
        (["--k", "7"], "expected a bank of at least k = 7 descriptions, got 6"),
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
