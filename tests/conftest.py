"""Every test runs offline, in Hub caches of its own; set before any Hub library is imported."""

import atexit
import os
import shutil
import tempfile

import pytest

_HOME = tempfile.mkdtemp(prefix="emo3d-tests-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ.update(
    HF_HOME=_HOME,
    HF_HUB_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_UPDATE_DOWNLOAD_COUNTS="0",
    GRADIO_ANALYTICS_ENABLED="False",
    TOKENIZERS_PARALLELISM="false",
)

CHROMIUM_FLAGS = (
    "--no-sandbox --disable-gpu --use-angle=swiftshader --enable-unsafe-swiftshader --disable-background-networking "
    "--disable-component-update --disable-sync --no-first-run"
).split()


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
