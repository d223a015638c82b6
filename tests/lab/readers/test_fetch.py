"""face-api's files out of its npm package, by an npm that only packs a folder of the test's."""

import io
import os
import tarfile
from pathlib import Path

import pytest

from emo3d_lab.readers import fetch

CONTENTS = {name: name.encode() for name in fetch.SHA256}
BYTES = {  # of the names, by `printf NAME | sha256sum`
    "face_expression_model-weights_manifest.json": "210c0a642ff91ce255ce55f754f3414d5399d13b6b501d8e1bab1f79a845b912",
    "face_expression_model.bin": "136ef7600b593a4f921cd8b8a13fad1c510f585e79606046c895d6227b2084a6",
}


@pytest.fixture
def npm(tmp_path, monkeypatch):
    """Put an npm on the PATH that "packs" the given files, or fails; the cache is the test's own."""
    monkeypatch.setattr(fetch, "readers_cache", lambda: tmp_path / "cache")
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")

    def install(contents=None):
        with tarfile.open(tmp_path / "package.tar", "w:gz") as archive:
            for name, content in (contents or {}).items():
                entry = tarfile.TarInfo(f"package/model/{name}")
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        script = tmp_path / "npm"
        packs = f'cp "{tmp_path}/package.tar" vladmandic-face-api.tgz' if contents else "echo E404 >&2; exit 1"
        script.write_text(f'#!/bin/sh\n[ "$*" = "pack {fetch.PACKAGE}" ] || exit 2\n{packs}\n')
        script.chmod(0o755)

    return install


def test_files_that_are_the_published_ones_are_kept(npm, tmp_path, monkeypatch):
    npm(CONTENTS)
    monkeypatch.setattr(fetch, "SHA256", BYTES)
    folder = fetch.fetch_face_api()
    assert folder == tmp_path / "cache" / "face-api"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENTS


def test_other_files_are_refused_and_not_kept(npm, tmp_path):
    npm(CONTENTS)
    with pytest.raises(ValueError, match=r"expected face_expression_model-weights_manifest.json of @vladmandic"):
        fetch.fetch_face_api()
    assert not Path(tmp_path / "cache").exists()


def test_what_npm_says_is_passed_on(npm, monkeypatch):
    npm()
    with pytest.raises(OSError, match=r"npm pack @vladmandic/face-api@1.7.15 failed: E404"):
        fetch.fetch_face_api()
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(OSError, match=r"expected npm \(Node.js\) on the PATH"):
        fetch.fetch_face_api()
