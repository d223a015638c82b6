"""`tools/publish.py` in a process of its own, and what a Hub then holds."""

import shutil
import subprocess
import sys
from pathlib import Path

from hanging import HANGS

ROOT = Path(__file__).resolve().parents[2]
PUBLISH = ROOT / "tools" / "publish.py"
WEB = ("node_modules", ".model")  # what the static Space is built with


def clone(folder):
    """Clone this repository; what the static Space is built with is in the clone, too, where it is here."""
    subprocess.run(["git", "clone", "-q", ROOT, folder], check=True, timeout=HANGS)
    if why_no_page() is None:
        (folder / "web" / "node_modules").symlink_to((ROOT / "web" / "node_modules").resolve())
        shutil.copytree(ROOT / "web" / ".model", folder / "web" / ".model")
    return folder


def why_no_page():
    """Why the static Space cannot be built here; None where it can."""
    lacking = [f"web/{name}" for name in WEB if not (ROOT / "web" / name).is_dir()]
    lacking += [] if shutil.which("node") else ["node"]
    return f"the static Space needs {' and '.join(lacking)}" if lacking else None


def all_parts():
    """Options that name what can be published here, all of it where the static Space can be built."""
    return [] if why_no_page() is None else "--only models --only dataset --only metric --only demo".split()


def publish(hub, home, *arguments, root=ROOT, **variables):
    command = [sys.executable, str(PUBLISH), "--namespace", "me", *map(str, arguments)]
    environment = hub.environment(home) | variables
    return subprocess.run(
        command, env=environment, cwd=root, capture_output=True, text=True, timeout=HANGS, check=False
    )


def held(hub, name, branch="main"):
    """Path -> content of what a branch holds, as the Hub keeps it."""
    kind, id = name.split("/", 1)
    return {path: file.path.read_bytes() for path, file in hub._repositories[kind, id].commit(branch).files.items()}


def commits(hub):
    """Ids of the commits of each branch, the last one first."""
    heads = [(name, branch, head) for name, r in hub._repositories.items() for branch, head in r.branches.items()]
    return {(*name, branch): [commit.oid for commit in head.history()] for name, branch, head in heads}
