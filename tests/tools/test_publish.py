"""`tools/publish.py` in fresh processes, to a Hub on loopback."""

import hashlib
import json
import re
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

import pytest
import yaml
from publisher import ROOT, all_parts, commits, held, publish, why_no_page

import emo3d
from hub import TOKEN

WHEEL = f"emo3d-{emo3d.__version__}-py3-none-any.whl"
TAG = f"v{emo3d.__version__}"
REPOSITORIES = {
    ("models", "me/emo3d-quickstart-generator"),
    ("models", "me/emo3d-quickstart-multilingual-generator"),
    ("models", "me/emo3d-quickstart-backbone"),
    ("datasets", "me/emo3d"),
    ("spaces", "me/emo3d_score"),
    ("spaces", "me/emo3d-demo"),
}
PAGE = ("spaces", "me/emo3d-web")
REPOSITORIES |= {PAGE} if why_no_page() is None else set()


def header(card):
    return yaml.safe_load(re.match(rb"---\n(.*?)\n---\n", card, re.DOTALL)[1])


def test_one_commit_and_a_tag_for_each(published):
    hub, _ = published
    assert {name for name in hub._repositories if name[1].startswith("me/")} == REPOSITORIES
    assert {len(oids) for (_, id, _), oids in commits(hub).items() if id.startswith("me/")} == {2}  # the Hub's is first
    for name in REPOSITORIES:
        repository = hub._repositories[name]
        heads = {TAG: "main"} | ({f"{TAG}-script": "script"} if name[0] == "datasets" else {})
        assert {tag: commit.oid for tag, commit in repository.tags.items()} == {
            tag: repository.branches[branch].oid for tag, branch in heads.items()
        }


def test_again_nothing_is_committed(published, clean, home):
    hub, _ = published
    before, asked = commits(hub), len(hub.requests)
    again = publish(hub, home, "--yes", *all_parts(), root=clean)
    assert again.returncode == 0, again.stderr[-3000:]
    assert "everything is published already" in again.stdout
    assert commits(hub) == before
    assert {method for method, *_ in hub.requests[asked:]} == {"GET"}


def test_files(published):
    hub, _ = published
    metric = set((ROOT / "metric_space").glob("*.*"))
    assert set(held(hub, "spaces/me/emo3d_score")) == {".gitattributes", WHEEL, *(path.name for path in metric)}
    assert set(held(hub, "spaces/me/emo3d-demo")) == {
        ".gitattributes",
        WHEEL,
        "README.md",
        "app.py",
        "requirements.txt",
    }
    assert set(held(hub, "datasets/me/emo3d", "script")) == {".gitattributes", "emo3d.py"}
    sample = {
        f"data/{name}/{split}.parquet" for name in ("sample", "clips") for split in ("train", "validation", "test")
    }
    sample |= {"data/checklist/test.parquet"}
    assert set(held(hub, "datasets/me/emo3d")) == {
        ".gitattributes",
        "README.md",
        "eval.yaml",
        "faces.jpg",
        "clips.jpg",
        *sample,
    }
    names = {name for kind, id in REPOSITORIES - {PAGE} for name in held(hub, f"{kind}/{id}")}  # the page's: below
    suffixes = {".md", ".json", ".jpg", ".parquet", ".py", ".safetensors", ".txt", ".whl", ".yaml", ""}
    assert {PurePosixPath(name).suffix for name in names} == suffixes  # and so no pickle
    assert set(held(hub, "models/me/emo3d-quickstart-backbone")) >= {"README.md", "config.json", "model.safetensors"}


@pytest.mark.skipif(PAGE not in REPOSITORIES, reason=str(why_no_page()))
def test_files_of_the_static_space(published):
    hub, _ = published
    files = held(hub, "spaces/me/emo3d-web")
    shell = "README.md index.html style.css icon.svg manifest.webmanifest "
    shell += "page.js glb.worker.js gif.worker.js worker.js sw.js"
    model = json.loads(files["model/face.json"])["files"]
    assert set(files) == {
        *(".gitattributes", *shell.split(), "runtime-wasm.js", "runtime-wasm.bin", "model/face.json"),
        *(f"model/{name}" for name in model),
    }
    for name, entry in model.items():
        assert hashlib.sha256(files[f"model/{name}"]).hexdigest() == entry["sha256"]
    repository = hub._repositories[PAGE]
    assert (repository.sdk, header(files["README.md"])["sdk"]) == ("static", "static")
    assert repository.commit().files["model/model.onnx"].sha256  # on LFS
    shared = {name: content for name, content in files.items() if name not in ("README.md", "sw.js", ".gitattributes")}
    for name, content in shared.items():  # what the service worker keeps is what is there
        assert hashlib.sha256(content).hexdigest().encode() in files["sw.js"], name


def test_names_and_versions_are_written_in(published):
    hub, _ = published
    for name in [f"{kind}/{id}" for kind, id in REPOSITORIES]:
        card = held(hub, name)["README.md"].decode()
        assert "NAMESPACE" not in card
        assert "](../" not in card
    for name, extras in {"emo3d_score": "metric,demo,offline", "emo3d-demo": "demo,extract,offline"}.items():
        files = held(hub, f"spaces/me/{name}")
        digest = hashlib.sha256(files[WHEEL]).hexdigest()
        address = f"{hub.url}/spaces/me/{name}/resolve/main/{WHEEL}"
        assert files["requirements.txt"].decode().split("\n")[0] == f"emo3d[{extras}] @ {address}#sha256={digest}"
        gradio = Path(find_spec("gradio").origin).with_name("package.json")
        assert header(files["README.md"])["sdk_version"] == json.loads(gradio.read_text())["version"]
    assert b'load_dataset("me/emo3d", "pairs"' in held(hub, "datasets/me/emo3d", "script")["emo3d.py"]
    card = held(hub, "datasets/me/emo3d")["README.md"]
    assert [config["config_name"] for config in header(card)["configs"]] == ["sample", "clips", "checklist"]
    assert b'load_dataset("me/emo3d", "sample", split="train")' in card
    assert b"This copy holds the configs `sample`, 500 synthetic rows, and `checklist` only" in card
    generator = "me/emo3d-quickstart-generator"
    assert f'load_generator("{generator}")' in held(hub, f"models/{generator}")["README.md"].decode()


def test_the_token_is_nowhere(published, home):
    hub, done = published
    assert TOKEN not in done.stdout + done.stderr
    for kind, id in REPOSITORIES:
        assert all(TOKEN.encode() not in content for content in held(hub, f"{kind}/{id}").values())
    written = [path for path in home.rglob("*") if path.is_file()]
    assert all(TOKEN.encode() not in path.read_bytes() for path in written)
