"""Avatars are made once for all tests of this folder."""

import pytest

from avatar_files import WORDS, File
from emo3d_lab.avatars.avatar import write_avatar
from emo3d_lab.avatars.people import read_person


@pytest.fixture(scope="session")
def fisherman(tmp_path_factory):
    path = tmp_path_factory.mktemp("avatars") / "fisherman.glb"
    write_avatar(path, read_person(WORDS))
    return File(path)


@pytest.fixture(scope="session")
def vrm(tmp_path_factory):
    path = tmp_path_factory.mktemp("avatars") / "fisherman.vrm"
    write_avatar(path, read_person(WORDS))
    return File(path)
