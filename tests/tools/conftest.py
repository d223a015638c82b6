"""A Hub to which everything was published once."""

import pytest
from publisher import all_parts, clone, publish

from emo3d.encoders import MINILM, packaged_minilm
from emo3d_lab.sample.mock import write_release
from hub import Hub


@pytest.fixture(scope="session")
def release(tmp_path_factory):
    return write_release(tmp_path_factory.mktemp("release"), rows=40, primitive=20)


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="session")
def clean(tmp_path_factory):
    """A clone, which stays at its commit whatever happens in the working tree meanwhile."""
    return clone(tmp_path_factory.mktemp("clean") / "emo3d")


@pytest.fixture(scope="session")
def published(release, clean, home):
    """The Hub, and the process that published; what is not ours but asked for by ours is there, too."""
    minilm = packaged_minilm()
    if minilm is None:
        pytest.skip("needs the extra offline")
    others = {("datasets/llm-lab/Emo3D", "main"): release, (MINILM, "main"): minilm}
    with Hub(others) as hub:
        done = publish(hub, home, "--yes", *all_parts(), root=clean)
        assert done.returncode == 0, done.stderr[-3000:]
        yield hub, done
