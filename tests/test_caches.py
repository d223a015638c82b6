"""HF_HOME that cannot be written or is full, for real: another user's folder, and a small disk. The Hub is on loopback.

What is asked of the Hub ends in one sentence that names the folder and the variable; what is kept on its way, such as
heads, is done without. The next run, with a folder that can be used, finds nothing half-written.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from dual_encoders import save_clip
from emo3d.blendshapes import BLENDSHAPES
from emo3d.generation import ExpressionModel
from hanging import HANGS
from hub import Hub
from text_encoders import save_bert

ROWS = 40
USE = """
import io, json, os, sys
from contextlib import redirect_stderr, redirect_stdout

import datasets, pandas, transformers.models.bert.modeling_bert, transformers.models.clip.modeling_clip
import transformers.pipelines
import emo3d.generation, emo3d.scoring, emo3d_lab.cli.score
from emo3d.cli import main
from emo3d.face import heads, identities, raster
from emo3d_lab.heads import own

own.make_head = lambda identity: heads.packed_heads().bald(identities.IDENTITIES["adult"])  # without anny's gigabyte
os.chdir(os.environ["WORK"])
for line in sys.stdin:
    use = json.loads(line)
    if os.fork():
        os.wait()
        continue
    text, outcome = io.StringIO(), "done"
    with redirect_stderr(text), redirect_stdout(io.StringIO()):
        try:
            if isinstance(use, str):
                exec(use, {})
            else:
                sys.argv = ["emo3d", *use]
                main()
        except SystemExit as error:
            outcome = error.code or "done"
        except Exception as error:
            outcome = f"{type(error).__name__}: {error}"
    print("OUTCOME", json.dumps([outcome, text.getvalue()]), flush=True)
    os._exit(0)
"""
USES = {
    "rows": "from emo3d.dataset import open_rows; open_rows('me/rows', None, 'test')",
    "generator": "from emo3d import load_generator; load_generator('me/generator')",
    "encoder of a loaded model": "from transformers import AutoModel; import os; "
    "AutoModel.from_pretrained(os.environ['WORK'] + '/generator').generate(['a man'])",
    "backbone": "from emo3d.scoring import load_backbone; load_backbone('me/clip')",
    "encoder": "from emo3d.encoders import load_text_encoder; load_text_encoder('me/bert')",
    "generate": ["generate", "a happy man", "--model", "me/generator", "--out", "face.json"],
    "score": ["score", "faces.json", "--references", "references.jsonl", "--backbone", "me/clip", "--k", "2"],
    "score of rows": ["score", "faces.json", "--references", "me/rows", "--backbone", "quickstart", "--k", "2"],
}
KEPT = {
    "head": "from emo3d.face import FaceRig, Identity; FaceRig.from_anny(Identity({'gender': 0.3}))",
    "bank": ["score", "faces.json", "--references", "references.jsonl", "--backbone", "quickstart", "--k", "2"],
}


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    folders = {name: tmp_path_factory.mktemp(name) for name in ("bert", "clip", "generator", "rows")}
    save_bert(folders["bert"])
    save_clip(folders["clip"])
    settings = {"freeze_encoder": True, "hidden_sizes": [8], "space": "reading"}
    model = ExpressionModel.from_encoder(str(folders["bert"]), **settings)
    model.config.encoder = "me/bert"
    model.save_pretrained(folders["generator"])
    parquet.write_table(_references(), folders["rows"] / "test.parquet")
    names = {"rows": "datasets/me/rows"}
    with Hub({(names.get(name, f"me/{name}"), "main"): folder for name, folder in folders.items()}) as hub:
        hub.generator = folders["generator"]
        yield hub


def _references():
    intensities = [[float(row % 8 == column) for column in range(8)] for row in range(ROWS)]
    return pa.table({"description": [f"a sad man {row}" for row in range(ROWS)], "intensities": intensities})


@pytest.fixture(scope="module")
def work(hub):
    """A folder for results that every user may reach and write to."""
    folder = Path(tempfile.mkdtemp(prefix="emo3d-caches-"))
    folder.chmod(0o777)
    (folder / "faces.json").write_text(json.dumps([dict.fromkeys(BLENDSHAPES, 0.1)] * ROWS))
    shutil.copytree(hub.generator, folder / "generator", copy_function=shutil.copyfile)
    for path in (folder / "generator", *(folder / "generator").iterdir()):
        path.chmod(0o755)
    lines = map(json.dumps, _references().to_pylist())
    (folder / "references.jsonl").write_text("\n".join(lines))
    yield folder
    shutil.rmtree(folder)


class Machine:
    """A process that has imported all and used nothing; each use is a child of it.

    Libraries read HF_HOME when they are imported: `home` is a link, to the folder or disk of a test.
    """

    def __init__(self, hub, work, *user):
        self.home, log = work / "home", work / "log"
        environment = hub.environment(self.home) | {"WORK": str(work), "HOME": str(work), "HF_HUB_ETAG_TIMEOUT": "5"}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._log = log.open("w+")
        command = [*user, sys.executable, "-c", USE]
        self._process = subprocess.Popen(command, env=environment, stderr=self._log, **pipes)

    def set_home(self, folder):
        self.home.unlink(missing_ok=True)
        self.home.symlink_to(folder)

    def outcomes(self, uses):
        return {name: self._outcome(use) for name, use in uses.items()}

    def _outcome(self, use):
        print(json.dumps(use), file=self._process.stdin, flush=True)
        watch = threading.Timer(HANGS, self._process.kill)
        watch.start()
        for line in self._process.stdout:
            if line.startswith("OUTCOME "):
                watch.cancel()
                return json.loads(line.partition(" ")[2])
        self._log.seek(0)
        raise AssertionError(f"the process ended: {self._log.read()[-4000:]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(HANGS)
        self._log.close()


@pytest.fixture(scope="module")
def machine(hub, work):
    with Machine(hub, work) as machine:
        yield machine


def check_refused(found, home, reason):
    """The uses that ended, each in a sentence that names folder, variable and reason."""
    refused = [name for name in USES if found[name][0] != "done"]
    for name in refused:
        outcome, said = found[name]
        sentence = outcome if isinstance(USES[name], str) else said.strip().splitlines()[-1]
        assert isinstance(USES[name], str) or outcome == 2, (name, outcome, said)
        assert f"{home}/" in sentence, (name, outcome, said)
        assert f"cannot be written ({reason}): set HF_HOME to a folder" in sentence, (name, outcome, said)
        assert "Traceback" not in f"{outcome} {said}"
        assert "\n" not in sentence
    return refused


def check_kept_nowhere(found):
    for name in KEPT:
        outcome, said = found[name]
        assert outcome == "done", (name, outcome, said)
        assert "Traceback" not in said
        assert "HF_HOME" in said, (name, said)


def check_next_run(machine):
    for name, (outcome, said) in machine.outcomes(USES | KEPT).items():
        assert outcome == "done", (name, outcome, said)
        assert "HF_HOME" not in said


def test_a_cache_that_this_user_may_not_write(hub, work):
    folder = work / "another-users"
    folder.mkdir()
    user = ()
    if os.geteuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root may write everywhere, and there is no setpriv to become another user")
        user = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        if subprocess.run([*user, sys.executable, "-c", "import emo3d"], capture_output=True).returncode:
            pytest.skip("another user cannot read this package")
    folder.chmod(0o555)
    with Machine(hub, work, *user) as machine:
        machine.set_home(folder)
        found = machine.outcomes(USES | KEPT)
        assert check_refused(found, machine.home, "Permission denied") == [*USES]
        check_kept_nowhere(found)
        folder.chmod(0o777)
        check_next_run(machine)


@pytest.mark.parametrize("kilobytes", [12, 48])
def test_a_cache_on_a_full_disk(machine, small_disk, kilobytes):
    disk = small_disk(kilobytes)
    machine.set_home(disk)
    found = machine.outcomes(USES | KEPT)
    refused = check_refused(found, machine.home, "No space left on device")
    assert set(refused) == set(USES) if kilobytes == 12 else "backbone" in refused
    check_kept_nowhere(found)
    subprocess.run(["mount", "-o", "remount,size=60m", disk], check=True)
    check_next_run(machine)
