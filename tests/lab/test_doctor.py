"""`emo3d doctor` in fresh processes: a machine that has all, one without a network, and one with a wrong token."""

import json
import os
import subprocess
import sys
import time

import pytest

from hanging import HANGS
from hub import TOKEN, Hub


def doctor(environment, *arguments):
    """Exit code, findings by what was looked at, and all that was printed."""
    command = [sys.executable, "-m", "emo3d", "doctor", "--json", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANGS)
    return done.returncode, {f["what"]: f for f in json.loads(done.stdout)}, done.stdout + done.stderr


def levels(findings):
    return {what: finding["level"] for what, finding in findings.items() if finding["level"] != "ok"}


@pytest.fixture(scope="module")
def hub():
    with Hub() as hub:
        yield hub


def test_a_machine_that_has_all(hub, tmp_path):
    code, findings, printed = doctor(hub.environment(tmp_path))
    assert levels(findings) == {"default backbone": "note"}  # this Hub has no CLIP
    assert "404" in findings["default backbone"]["found"]
    assert "quickstart" in findings["default backbone"]["advice"]
    assert findings["token"]["found"] == "of me"
    assert findings["hub"]["found"].startswith(hub.url)
    assert (code, TOKEN in printed) == (0, False)


def test_no_token_and_a_wrong_one(hub, tmp_path):
    code, findings, _ = doctor(hub.environment(tmp_path) | {"HF_TOKEN": ""})
    assert (code, findings["token"]["found"]) == (0, "none; only private repositories need one")
    secret = "hf_of another kind"  # with a space: clients quote such a header in their errors
    code, findings, printed = doctor(hub.environment(tmp_path) | {"HF_TOKEN": secret})
    assert (code, levels(findings)) == (1, {"token": "problem", "default backbone": "note"})
    assert "settings/tokens" in findings["token"]["advice"]
    assert secret not in printed


def test_the_hub_is_busy_or_away(hub, tmp_path):
    hub.fail("GET /api/whoami", status=503, times=99)
    _, findings, _ = doctor(hub.environment(tmp_path))
    assert "503" in findings["token"]["found"]
    hub.mend()
    start = time.monotonic()
    nowhere = {"HF_ENDPOINT": "http://127.0.0.1:9"}  # the port `discard`
    code, findings, printed = doctor(hub.environment(tmp_path) | nowhere)
    assert time.monotonic() - start < 600  # most of it imports, on a busy machine
    assert (code, levels(findings)) == (0, {"hub": "note", "token": "note", "default backbone": "note"})
    assert all(findings[what]["advice"] for what in levels(findings))
    assert TOKEN not in printed


def test_offline_asks_nothing_and_the_table_says_so(hub, tmp_path):
    hub.requests.clear()
    environment = hub.environment(tmp_path) | {"HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-m", "emo3d", "doctor"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=HANGS)
    assert (done.returncode, hub.requests) == (0, [])
    for word in ("torch", "device", "cache", "not asked, HF_HUB_OFFLINE is set", "default backbone", "->"):
        assert word in done.stdout


def test_versions_of_another_time(hub, tmp_path):
    """An environment whose `datasets` is too old, and whose cache folder is a file."""
    old = tmp_path / "old" / "datasets-1.0.dist-info"
    old.mkdir(parents=True)
    (old / "METADATA").write_text("Metadata-Version: 2.1\nName: datasets\nVersion: 1.0\n")
    (tmp_path / "home").write_text("")
    folders = os.pathsep.join([str(tmp_path / "old"), os.environ["PYTHONPATH"]])
    environment = hub.environment(tmp_path / "home") | {"PYTHONPATH": folders}
    code, findings, _ = doctor(environment)
    assert code == 1
    assert levels(findings) == {"datasets": "problem", "cache": "problem", "default backbone": "note"}
    assert "1.0, expected <6,>=2.19" in findings["datasets"]["found"]
    assert findings["datasets"]["advice"] == 'pip install "datasets<6,>=2.19"'
    assert "HF_HOME" in findings["cache"]["advice"]
