"""The files of face-api, out of its npm package into the cache where `load_reader` finds them: `make readers`."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from emo3d.files import whole_file
from emo3d_lab.readers.face_api import NAME
from emo3d_lab.readers.load import readers_cache

PACKAGE = "@vladmandic/face-api@1.7.15"
SHA256 = {
    f"{NAME}-weights_manifest.json": "5b349c17c7836da506e03422cd6461c74085d8bb2713ad4114647dc5d28174c8",
    f"{NAME}.bin": "9a9840f2cf1f4c7eab95f197512569345c00d2426754d4608b92af30e0300f3d",
}


def fetch_face_api() -> Path:
    """Have npm pack the published package, check its files, and put them into the cache: their folder.

    Raises:
        OSError: there is no npm, or it fails; the message has its own.
        ValueError: other files than the published ones.
    """
    if shutil.which("npm") is None:
        raise OSError(f"expected npm (Node.js) on the PATH, to run `npm pack {PACKAGE}`")
    target = readers_cache() / "face-api"
    with TemporaryDirectory() as folder:
        run = subprocess.run(["npm", "pack", PACKAGE], cwd=folder, capture_output=True, text=True)
        archives = list(Path(folder).glob("*.tgz"))
        if run.returncode or len(archives) != 1:
            raise OSError(f"npm pack {PACKAGE} failed: {run.stderr.strip()[-500:]}")
        contents = {}
        with tarfile.open(archives[0]) as archive:
            for name, digest in SHA256.items():
                file = archive.extractfile(f"package/model/{name}")
                contents[name] = file.read() if file else b""
                if (found := hashlib.sha256(contents[name]).hexdigest()) != digest:
                    raise ValueError(f"expected {name} of {PACKAGE} with the SHA-256 {digest}, got {found}")
    target.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        with whole_file(target / name) as part:
            part.write_bytes(content)
    return target


if __name__ == "__main__":
    print(f"face-api is in {fetch_face_api()}")
