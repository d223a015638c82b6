"""The static Space, built once and served as the Hub serves it, and its page as a person opens it."""

import pytest

from static_space import serving_space
from web_pages import WATCH, build_space


@pytest.fixture(scope="session")
def space(tmp_path_factory):
    return build_space(tmp_path_factory.mktemp("space") / "space")


@pytest.fixture(scope="session")
def address(space):
    with serving_space(space) as address:
        yield address


@pytest.fixture(scope="module", autouse=True)
def watched(visitor):
    visitor.add_init_script(WATCH)
    visitor.grant_permissions(["clipboard-read", "clipboard-write"])


@pytest.fixture
def opened(visit, address):
    """Opens the page, at a fragment if need be, and waits for what understands text; nothing broke its policy.

    Without motion by default: to draw a face that moves takes a processor without a GPU more than half of its time.
    """
    pages = []

    def opened(fragment="", motion="reduce", **look):
        pages.append(visit(f"{address}{fragment}", motion=motion, **look))
        pages[-1].set_default_timeout(60_000)
        pages[-1].locator("body[data-ready]").wait_for()
        return pages[-1]

    yield opened
    for page in pages:
        assert page.evaluate("violations") == []
