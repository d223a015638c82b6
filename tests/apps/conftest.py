"""One demo for all of its tests, started as a user starts it."""

import pytest

from serving import serving


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="session")
def demo(demo_folder):
    """Its address."""
    pytest.importorskip("gradio", reason="the demo needs the extra [demo]")
    with serving(demo_folder) as address:
        yield address


@pytest.fixture(scope="session")
def client(demo, tmp_path_factory):
    from gradio_client import Client

    return Client(demo, download_files=tmp_path_factory.mktemp("downloads"), verbose=False)
