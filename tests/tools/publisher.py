"""`tools/publish.py` in a process of its own, and what a Hub then holds."""

import subprocess
import sys
from pathlib import Path

from hanging import HANGS

ROOT = Path(__file__).resolve().parents[2]
PUBLISH = ROOT / "tools" / "publish.py"


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
