"""What goes up, what goes away, what is refused: one clone with secrets in it, published again and again."""

import io
import subprocess
import sys
import zipfile

import pytest
from publisher import ROOT, all_parts, commits, held, publish
from publisher import clone as cloned
from test_publish import TAG, WHEEL

from emo3d import load_generator
from emo3d_lab.building.build import build
from emo3d_lab.training import write_card
from hanging import HANGS
from hub import TOKEN, Hub

SECRET = "planted-secret"
PLANTED = """
    .env token.txt id_rsa credentials.json notes.md data/.env data/x.parquet .venv/lib/x.py __pycache__/x.pyc
    .cache/token checkpoint-10/README.md checkpoint-10/model.safetensors optimizer.pt training_args.bin weights.bin
""".split()


def plant(folder):
    for name in PLANTED:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(SECRET)


def said(done):
    """The message of a command that failed: a sentence, and no traceback."""
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.partition("error: ")[2].strip()


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    folder = cloned(tmp_path_factory.mktemp("clone") / "emo3d")
    parts = "dataset_script metric_space demo_space web_space web web/.model model_cards src/emo3d src/emo3d/assets ."
    for part in parts.split():
        plant(folder / part)
    return folder


@pytest.fixture(scope="module")
def built(release, tmp_path_factory):
    folder = tmp_path_factory.mktemp("built") / "emo3d"
    build(release, folder, configs=["default", "pairs"])
    plant(folder)
    plant(folder / "data" / "default")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models") / "my-generator"
    load_generator("quickstart").save_pretrained(folder)
    write_card("minilm", folder / "README.md")
    plant(folder)
    return folder


@pytest.fixture(scope="module")
def filled(clone, built, model, home):
    with Hub() as hub:
        done = publish(
            *(hub, home, "--yes", "--private", "--dataset", built, "--model", model, *all_parts()), root=clone
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert "a private Space cannot fetch its wheel" in done.stderr
        yield hub


def test_nothing_planted_goes_up(filled):
    for (kind, id), repository in filled._repositories.items():
        assert repository.private
        for branch in repository.branches:
            for path, content in held(filled, f"{kind}/{id}", branch).items():
                assert SECRET.encode() not in content, path
                assert TOKEN.encode() not in content, path
    wheel = zipfile.ZipFile(io.BytesIO(held(filled, "spaces/me/emo3d-demo")[WHEEL]))
    assert [name for name in wheel.namelist() if SECRET.encode() in wheel.read(name)] == []
    assert {"emo3d/assets/emo3d_score.py", "emo3d/assets/sample/train.parquet"} <= set(wheel.namelist())


def test_a_built_dataset_and_a_trained_model(filled, built, model):
    files = held(filled, "datasets/me/emo3d")
    assert {path for path in files if path.startswith("data/")} == {
        path.relative_to(built).as_posix() for path in built.glob("data/*/*-of-*.parquet")
    }
    assert files["build_report.json"] == (built / "build_report.json").read_bytes()
    assert b"NAMESPACE" not in files["README.md"]
    files = held(filled, "models/me/my-generator")
    assert files["model.safetensors"] == (model / "model.safetensors").read_bytes()
    assert {"config.json", "emo3d_generation_model.py", "README.md"} <= set(files)


def test_a_tag_on_other_content_is_refused_and_a_new_one_removes_what_is_stale(filled, clone, home):
    put = "from huggingface_hub import HfApi\nHfApi().upload_file(path_or_fileobj=b'theirs', path_in_repo='NOTES.md', "
    put += "repo_id='me/emo3d', repo_type='dataset')"
    subprocess.run([sys.executable, "-c", put], env=filled.environment(home), check=True, timeout=HANGS)
    before = commits(filled)
    refused = publish(filled, home, "--yes", "--only", "dataset", root=clone)
    assert said(refused) == f"the tag {TAG} of me/emo3d is on other content: publish under another one (--revision)"
    shown = publish(filled, home, "--dry-run", "--only", "dataset", "--revision", "sample-1", root=clone)
    assert "\n  - data/default/train-00000-of-00001.parquet\n" in shown.stdout
    no = publish(filled, home, "--only", "dataset", "--revision", "sample-1", root=clone)  # nobody there to say yes
    assert no.returncode == 1
    assert commits(filled) == before
    done = publish(filled, home, "--yes", "--only", "dataset", "--revision", "sample-1", root=clone)
    assert done.returncode == 0, done.stderr
    sample = {
        f"data/{name}/{split}.parquet" for name in ("sample", "clips") for split in ("train", "validation", "test")
    }
    sample |= {"data/checklist/test.parquet"}
    theirs = {".gitattributes", "NOTES.md"}
    assert set(held(filled, "datasets/me/emo3d")) == {
        "README.md",
        "eval.yaml",
        "faces.jpg",
        "clips.jpg",
        *sample,
        *theirs,
    }
    assert {len(new) - len(before[name]) for name, new in commits(filled).items() if name[1] == "me/emo3d"} == {0, 1}


LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"


@pytest.mark.parametrize(
    ("arguments", "variables", "expected"),
    [
        (["--only", "data"], {}, "expected models, dataset, metric, demo, web, got data"),
        (["--only", "dataset", "--dataset", "nowhere"], {}, "expected README.md in nowhere, found none"),
        (
            [],
            {"HF_TOKEN": "hf_wrong"},
            f"the Hub does not accept the token: {LOG_IN}",
        ),
        ([], {"HF_TOKEN": ""}, f"no token for the Hub: {LOG_IN}"),
        (["--namespace", "you"], {}, "the token is of me and may write to me, not to you"),
    ],
)
def test_what_is_refused(filled, clone, home, arguments, variables, expected):
    before = commits(filled)
    done = publish(filled, home, "--yes", "--released", *arguments, root=clone, **variables)
    assert said(done) == expected
    assert commits(filled) == before


def test_what_is_not_committed_is_not_published(filled, clone, home):
    card = clone / "demo_space" / "README.md"
    text = card.read_text()
    card.write_text(text + SECRET)
    done = publish(filled, home, "--yes", "--released", "--only", "demo", "--revision", "again", root=clone)
    card.write_text(text)
    assert done.returncode == 0, done.stderr
    assert "what is not committed is not published" in done.stderr
    assert SECRET.encode() not in held(filled, "spaces/me/emo3d-demo")["README.md"]


def test_outside_of_a_clone(filled, home, tmp_path):
    done = publish(filled, home, "--yes", "--only", "dataset", root=tmp_path)
    assert said(done) == f"expected a clone of emo3d's repository in {tmp_path}"


def test_a_static_space_without_what_it_is_built_with(filled, home, tmp_path):
    subprocess.run(["git", "clone", "-q", ROOT, tmp_path / "emo3d"], check=True, timeout=HANGS)
    done = publish(filled, home, "--yes", "--only", "web", root=tmp_path / "emo3d")
    expected = "the static Space needs web/node_modules: `make web/node_modules` makes it, or name others by --only"
    assert said(done) == expected


def test_a_public_repository_is_not_called_private(published, clone, home):
    done = publish(published[0], home, "--yes", "--private", "--only", "dataset", root=clone)
    assert said(done) == "me/emo3d is public: make it private in its settings on the Hub first"


def test_a_released_version_is_asked_for_by_its_number(filled, clone, home):
    done = publish(filled, home, "--yes", "--released", "--only", "demo", "--revision", "r", root=clone)
    assert done.returncode == 0, done.stderr
    files = held(filled, "spaces/me/emo3d-demo")
    assert files["requirements.txt"].decode() == f"emo3d[demo,extract,offline]=={TAG[1:]}\n"
    assert WHEEL not in files
