"""Each Space as it is published: downloaded, its requirements installed, its app started, asked, and looked at.

The environment is new but for the packages of this one, which it borrows, all but emo3d; with EMO3D_CLEAN=1 everything
is installed again, which takes minutes.
"""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from environments import environment
from publisher import PUBLISH, why_no_page

from emo3d.dataset import sample_folder
from emo3d.scoring import QUICKSTART, ScoreSettings, score
from hanging import HANGS
from hub import Hub
from serving import serving
from static_space import serving_space

ROOT = Path(__file__).resolve().parents[2]
SPACES = "--namespace me --only metric --only demo --yes".split()
DOWNLOAD = """
import huggingface_hub, sys
huggingface_hub.snapshot_download(sys.argv[1], repo_type="space", local_dir=sys.argv[2])
"""
WHERE = "import emo3d, sys; print(emo3d.__file__.startswith(sys.prefix))"

pytestmark = pytest.mark.browser


def run(*command, env):
    done = subprocess.run(list(map(str, command)), env=env, capture_output=True, text=True, timeout=HANGS, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    return done.stdout.strip()


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    with Hub() as hub:
        run(sys.executable, PUBLISH, *SPACES, env=hub.environment(tmp_path_factory.mktemp("publisher")))
        yield hub


@pytest.fixture
def start(hub, tmp_path):
    """Starts a Space by its name and gives its address; it runs until the pages that look at it are closed."""
    running = contextlib.ExitStack()

    def started(name):
        space, home = tmp_path / "space", hub.environment(tmp_path / "home") | {"PYTHONPATH": ""}  # none of our folders
        run(sys.executable, "-c", DOWNLOAD, f"me/{name}", space, env=home)
        (wheel,) = space.glob("emo3d-*.whl")
        (line,) = (space / "requirements.txt").read_text().splitlines()
        assert f"{hub.url}/spaces/me/{name}/resolve/main/{wheel.name}#sha256=" in line
        python = environment(tmp_path / "environment", borrow=not os.environ.get("EMO3D_CLEAN"))
        run(python, "-m", "pip", "install", "--quiet", "-r", space / "requirements.txt", env=home)
        assert run(python, "-c", WHERE, env=home) == "True"
        return running.enter_context(serving(space, space / "app.py", python, **home, GRADIO_SERVER_NAME="127.0.0.1"))

    with running:
        yield started


def test_the_demo(start, visit, tmp_path):
    gradio_client = pytest.importorskip("gradio_client")
    address = start("emo3d-demo")
    client = gradio_client.Client(address, download_files=tmp_path, verbose=False)
    glb, picture, emotions, blendshapes = client.predict("She is overjoyed", api_name="/generate")
    assert Path(glb).read_bytes()[:4] == b"glTF"
    assert Path(picture).read_bytes()[1:4] == b"PNG"
    assert (len(emotions), len(blendshapes)) == (8, 51)
    assert blendshapes["mouthSmileLeft"] > 0.3
    page = visit(address)
    page.get_by_role("heading", name="Emo3D", exact=True).wait_for()
    page.locator("canvas[data-shown]").wait_for()


def test_the_metric(start, visit, tmp_path):
    gradio_client = pytest.importorskip("gradio_client")
    rows = pq.read_table(sample_folder() / "test.parquet", columns=["description", "intensities", "blendshapes"])[:12]
    pq.write_table(rows, tmp_path / "rows.parquet")
    settings = ScoreSettings(backbone=QUICKSTART, k=2)
    expected = score(rows["blendshapes"].to_pylist(), rows.to_pylist(), settings=settings)
    address = start("emo3d_score")
    file = gradio_client.handle_file(str(tmp_path / "rows.parquet"))
    chosen = {"source": "My own file", "uploaded": file, "backbone": QUICKSTART, "k": 2, "space": "weights"}
    client = gradio_client.Client(address, verbose=False)
    numbers, *_, signature, _ = client.predict(file, **chosen, api_name="/score")
    values = {row[0]: row[1] for row in numbers["data"]}
    assert (values["faces"], values["MSE"], values["Emo3D"]) == ("12", "0.0000", f"{expected.emo3d:.4f}")
    assert signature == expected.signature
    visit(address).get_by_role("heading", name="Emo3D score").wait_for()


@pytest.mark.skipif(why_no_page() is not None, reason=str(why_no_page()))
def test_the_web_page(hub, visit, tmp_path):
    environment = hub.environment(tmp_path / "home")
    run(sys.executable, PUBLISH, *"--namespace me --only web --yes".split(), env=environment)
    run(sys.executable, "-c", DOWNLOAD, "me/emo3d-web", tmp_path / "space", env=environment)
    with serving_space(tmp_path / "space") as address:
        page = visit(address)
        page.locator("body[data-ready]").wait_for()
        page.get_by_label("What does the character feel or do?").fill("She is overjoyed")
        page.locator("#strongest").get_by_text("mouth smile left").wait_for()
