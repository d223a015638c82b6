"""The commands of docs/jobs.md, as far as the Hub's own command parses them; none is sent."""

import ast
import re
import shlex

import pytest
import tomllib
from huggingface_hub.cli.hf import app
from publisher import ROOT

COMMANDS = re.findall(r"^hf (jobs .*)$", (ROOT / "docs" / "jobs.md").read_text("utf-8"), re.MULTILINE)
SCRIPTS = ["score_on_the_hub.py", "build_on_the_hub.py"]


def parsed(arguments):
    """Values of a command's options, as its own parser gives them."""
    command, name = app, "hf"
    while hasattr(command, "resolve_command"):
        context = command.make_context(name, list(arguments))
        name, command, arguments = command.resolve_command(context, list(arguments))
    return command.make_context(name, list(arguments)).params


def test_commands_are_parsed():
    score, build = (parsed(shlex.split(command)) for command in COMMANDS)
    assert [score["script"], build["script"]] == [f"docs/examples/{name}" for name in SCRIPTS]
    assert all((ROOT / each["script"]).is_file() for each in (score, build))
    assert [score["flavor"], *score["secrets"]] == ["cpu-upgrade", "HF_TOKEN"]
    assert [*score["script_args"]] == ["me/my-generator", "me/emo3d", "--publish"]
    assert [*build["volume"]] == ["hf://datasets/llm-lab/Emo3D:/release", "hf://buckets/me/emo3d:/built"]
    assert [*build["script_args"]] == ["/release", "/built/emo3d"]


def test_a_misspelt_option_would_be_seen():
    """What the parser does not know, it takes for the script."""
    assert parsed(["jobs", "uv", "run", "--flavour", "cpu-basic", "a.py"])["script"] == "--flavour"


@pytest.mark.parametrize("name", SCRIPTS)
def test_scripts_name_what_they_need(name):
    """By PEP 723: the TOML in their head."""
    text = (ROOT / "docs" / "examples" / name).read_text("utf-8")
    ast.parse(text)
    block = re.search(r"(?m)^# /// script\n((?:#.*\n)+?)# ///$", text)[1]
    head = tomllib.loads(re.sub(r"(?m)^# ?", "", block))
    assert any(requirement.startswith("emo3d") for requirement in head["dependencies"])
