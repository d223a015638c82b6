"""Every test runs offline, in Hub caches of its own, in one thread; set before any library reads it."""

import atexit
import gc
import json
import os
import runpy
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from hanging import HANGS

START = Path(__file__).with_name("start")
_HOME = tempfile.mkdtemp(prefix="emo3d-tests-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ.update(
    HF_HOME=_HOME,
    HF_HUB_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_UPDATE_DOWNLOAD_COUNTS="0",
    GRADIO_ANALYTICS_ENABLED="False",
    TOKENIZERS_PARALLELISM="false",
    # OpenMP's threads wait for one another in loops that keep a processor busy; pytest-xdist shares the processors out.
    OMP_NUM_THREADS="1",
    # Of what children import, before all else; this process runs it itself.
    PYTHONPATH=os.pathsep.join(filter(None, [str(START), os.environ.get("PYTHONPATH")])),
)
runpy.run_path(str(START / "sitecustomize.py"))

LONG_FILES = """
    lab/quickstart/test_train
    apps/test_other_tabs apps/test_explore apps/test_make_a_face dataset/test_versions lab/corpus/test_corpus
    tools/test_spaces lab/training/test_training lab/training/test_dual_encoders lab/building/test_build
    apps/test_hostile_texts apps/test_abuse test_demo_space generation/test_transformers_versions test_readme test_skill
    tools/test_faults tools/test_changes scoring/test_examples scoring/test_metric_app generation/test_hub_round_trip
    scoring/test_evaluate_processes tools/test_clients lab/training/test_predictions lab/test_engines
    lab/calibrate/test_measure lab/training/test_launching test_cli apps/test_browse lab/building/test_shards
    apps/test_variants apps/test_endpoints test_extras test_caches lab/corpus/test_launched lab/test_doctor
    lab/characters/test_reading lab/characters/test_bounds lab/characters/test_character_option
    lab/test_torchmetrics scoring/test_evaluate_versions lab/test_score_command lab/audit/test_audit_run
    lab/takes/test_takes lab/takes/test_blender lab/takes/test_preview
    apps/test_time apps/test_judge_clips apps/test_explore_clips
    lab/serving/test_serve lab/serving/test_serving_stop web_space/test_web_page web_space/test_web_offline
    web_space/test_web_files scoring/test_submit apps/test_judge lab/characters/test_vrm_blender
""".split()  # of half a minute and more

CHROMIUM_FLAGS = (
    "--no-sandbox --disable-gpu --use-angle=swiftshader --enable-unsafe-swiftshader --disable-background-networking "
    "--disable-component-update --disable-sync --no-first-run"
).split()


VALIDATE = """
const validator = require('gltf-validator'), fs = require('fs');
validator.validateBytes(new Uint8Array(fs.readFileSync(process.argv[1])))
  .then(report => console.log(JSON.stringify(report)));
"""


def pytest_collection_modifyitems(items):
    """Long files first, so that at the end no process works alone on the last of them."""
    gc.freeze()  # what was imported is no garbage, and need not be looked at by those who collect it
    places = {Path(__file__).parent / f"{name}.py": place for place, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: places.get(item.path, len(places)))


@pytest.fixture(autouse=True)
def hub_variables():
    """No test leaves the Hub's clients of the tests after it other variables than it found."""

    def variables():  # Gradio writes True where we write 1, whenever it builds a page
        return {name: value.replace("True", "1") for name, value in os.environ.items() if name.startswith("HF_")}

    before = variables()
    yield
    assert variables() == before


@pytest.fixture
def small_disk(tmp_path):
    """Makes file systems of a few kB, which are really full when they are: `small_disk(64)`."""
    mounted = []

    def made(kilobytes):
        folder = tmp_path / f"disk-{len(mounted)}"
        folder.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder]
        done = subprocess.run(command, capture_output=True, text=True) if shutil.which("mount") else None
        if done is None or done.returncode:
            pytest.skip(f"a small disk needs the right to mount one: {done.stderr.strip() if done else 'no mount'}")
        mounted.append(folder)
        return folder

    yield made
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.fixture(scope="module")
def chromium():
    sync_api = pytest.importorskip("playwright.sync_api", reason="browser tests need playwright")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("browser tests need Debian's chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def visitor(chromium):
    """A browser's context that keeps what it has fetched and compiled: a page loads in two thirds of the time."""
    context = chromium.new_context()
    context.set_default_timeout(300_000)
    return context


@pytest.fixture
def visit(visitor):
    """Opens a page as a person does: `visit(url, width=1280, scheme="light", motion="no-preference")`.

    At the end of a test, no page has asked another host, thrown an error, or become wider than its window.
    """
    from urllib.parse import urlsplit

    visits = []

    def opened(url, width=1280, scheme="light", motion="no-preference"):
        page, hosts, failures = visitor.new_page(), set(), []
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, reduced_motion=motion)
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        page.on("pageerror", lambda error: failures.append(str(error)))
        visits.append((page, url, width, hosts, failures))
        page.goto(url)
        return page

    yield opened
    for page, url, width, hosts, failures in visits:
        shown = page.evaluate("document.documentElement.scrollWidth")
        page.close()
        assert hosts <= {urlsplit(url).netloc, ""}  # data and blobs have no host
        assert failures == []
        assert shown <= width


@pytest.fixture(scope="session")
def viewers():
    """The folder of npm packages that `make viewers` fetched."""
    folder = Path(__file__).parents[1] / ".viewers"
    if not shutil.which("node") or not (folder / "installed").exists():
        pytest.skip("other people's viewers need node, npm and `make viewers`")
    return folder


@pytest.fixture(scope="session")
def validate(viewers):
    """The Khronos validator; a function from a file to its report."""

    def run(path):
        command = ["node", "-e", VALIDATE, str(path)]
        done = subprocess.run(command, cwd=viewers, capture_output=True, text=True, timeout=HANGS, check=True)
        return json.loads(done.stdout)

    return run


@pytest.fixture
def shelf(tmp_path, viewers):
    """A folder for a page and its files, and its address: npm's packages lie under `node_modules/` there."""
    from viewers import serving_files

    folder = tmp_path / "shelf"
    folder.mkdir()
    (folder / "node_modules").symlink_to((viewers / "node_modules").resolve())
    with serving_files(folder) as address:
        yield folder, address


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    from text_encoders import save_bert

    folder = tmp_path_factory.mktemp("tiny-bert")
    save_bert(folder)
    return str(folder)


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory):
    from dual_encoders import save_clip

    folder = tmp_path_factory.mktemp("clip")
    save_clip(folder)
    return str(folder)


@pytest.fixture(scope="session")
def siglip_folder(tmp_path_factory):
    from dual_encoders import save_siglip

    folder = tmp_path_factory.mktemp("siglip")
    save_siglip(folder)
    return str(folder)
