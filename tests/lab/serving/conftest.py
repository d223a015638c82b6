"""One server for the tests that only ask it."""

import httpx
import pytest

pytest.importorskip("mcp", reason="the extra serve is not installed")
pytest.importorskip("starlette", reason="the extra serve is not installed")

from servers import serving

from hanging import HANGS


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture(scope="session")
def client(server):
    with httpx.Client(base_url=server.address, timeout=HANGS) as opened:
        yield opened
