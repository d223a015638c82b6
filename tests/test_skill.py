"""What an agent reads, run as it stands: every block of SKILL.md, in its order, in one empty folder."""

import os
import re
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pygltflib
import pytest
import yaml

from emo3d.scoring import Emo3DResult
from hanging import HANGS

SKILL = Path(__file__).parents[1] / "skills" / "emo3d" / "SKILL.md"
TEXT = SKILL.read_text("utf-8")
BLOCKS = re.findall(r"^```(bash|python)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", TEXT, re.MULTILINE | re.DOTALL)
SERVER = "emo3d serve"


@pytest.fixture(scope="module")
def port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


@pytest.fixture(scope="module")
def printed(tmp_path_factory, port):
    """The folder, and what each block printed."""
    folder = tmp_path_factory.mktemp("skill")
    console = folder / ".bin" / "emo3d"  # the console of this environment, whatever installed it
    console.parent.mkdir()
    console.write_text(f"#!{sys.executable}\nimport sys\nfrom emo3d.cli import main\nsys.exit(main())\n")
    console.chmod(0o755)
    environment = {**os.environ, "PATH": f"{console.parent}:{os.environ['PATH']}", "HF_HUB_OFFLINE": "1"}
    outputs = []
    for language, block, _ in BLOCKS:
        if SERVER in block and any(find_spec(name) is None for name in ("mcp", "starlette", "uvicorn", "websockets")):
            outputs.append(None)
            continue
        # With a monitor, as in a terminal, so that %1 is the server and the last job is ended with the block.
        shell = ["bash", "-emc", block.replace("8300", port)] if language == "bash" else [sys.executable, "-c", block]
        done = subprocess.run(shell, cwd=folder, env=environment, capture_output=True, text=True, timeout=HANGS)
        assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"
        outputs.append(done.stdout)
    return folder, outputs


def test_front_matter_is_that_of_an_agent_skill():
    """Limits of the public format: agentskills.io, fields of SKILL.md."""
    front = yaml.safe_load(TEXT.split("---\n")[1])
    assert front["name"] == SKILL.parent.name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", front["name"])
    assert len(front["name"]) <= 64
    assert 100 < len(front["description"]) <= 1024
    assert len(front["compatibility"]) <= 500
    assert len(TEXT.splitlines()) < 500


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_each_block_prints_what_is_said(printed, number):
    _, block, expected = BLOCKS[number]
    if printed[1][number] is None:
        pytest.skip("needs the extra [serve]")
    output = " ".join(printed[1][number].split())
    place = 0
    for line in filter(None, map(str.strip, expected.splitlines())):
        place = output.find(" ".join(line.split()), place)
        assert place >= 0, f"{line}\nis not in\n{output}\nof\n{block}"


def test_files_are_what_is_said(printed):
    folder, _ = printed
    for name, targets in {"face.glb": 52, "mine.glb": 52, "moving.glb": 52, "clip.glb": 52}.items():
        document = pygltflib.GLTF2().load(folder / name)
        assert len(document.meshes[0].weights) == targets
        assert bool(document.animations) == (name in ("moving.glb", "clip.glb"))
    result = Emo3DResult.load(folder / "score.json")
    assert result.n == 3
    assert 0.5 < result.emo3d < 0.9


def test_no_task_is_missing():
    headings = re.findall(r"^## (.*)$", TEXT, re.MULTILINE)
    tasks = ["Give my character a face for this line", "Read this take", "Score these predictions", "Make a clip"]
    assert [heading for heading in headings if heading in tasks] == tasks
    assert {"Run the server, use MCP", "Formats", "When it says", "What not to claim"} <= {*headings}


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        ('{"smile": 1}', [], "expected ARKit blendshape names, got 'smile'"),
        ('{"jawOpen": 40}', [], "expected scores in 0..1"),
        ('{"jawOpen": 0.4}', [], "expected a bank of at least k = 10 descriptions"),
        ('{"jawOpen": 0.4}\n{}', ["--bank", "sample"], "expected one prediction per reference, got 2 predictions"),
        ('{"jawOpen": 0.4}', ["--bank", "sample", "--identity", "alien"], "expected an identity of adult, girl, "),
    ],
)
def test_messages_of_the_table_are_those_of_the_command(tmp_path, lines, options, message):
    from typer.testing import CliRunner

    from emo3d.cli.app import app

    head = message.partition(",")[0].partition(" = ")[0]
    assert head in TEXT
    (tmp_path / "p.jsonl").write_text(lines)
    (tmp_path / "r.jsonl").write_text('{"description": "joy", "intensities": {"happiness": 1}}')
    files = [str(tmp_path / "p.jsonl"), "--references", str(tmp_path / "r.jsonl"), "--backbone", "quickstart"]
    done = CliRunner().invoke(app, ["score", *files, *options])
    assert message in str(done.exception)
