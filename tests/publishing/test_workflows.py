"""The workflow files: what they run is there, and secrets are named, by the step that needs them, and nowhere else."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def workflow(name):
    return yaml.load((ROOT / ".github" / "workflows" / name).read_text("utf-8"), yaml.BaseLoader)


def steps(name):
    (job,) = workflow(name)["jobs"].values()
    return job["steps"]


def test_ci_is_the_script():
    assert [step["run"] for step in steps("ci.yml") if "run" in step][-1] == ".ci/run"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_secrets(path):
    for step in steps(path.name):
        assert "${{" not in step.get("run", "")  # whatever is written into a script is run
    assert workflow(path.name)["permissions"] == {"contents": "read"}
    text = path.read_text("utf-8")
    assert not re.search(r"hf_\w{10,}|pypi-\w{10,}|ghp_\w{10,}", text)
    assert set(re.findall(r"secrets\.\w+", text)) == (
        {"secrets.HF_TOKEN", "secrets.PACKAGE_INDEX_TOKEN"} if path.name == "publish.yml" else set()
    )


def test_publishing_is_for_tags_and_tests_first():
    assert workflow("publish.yml")["on"] == {"push": {"tags": ["v*"]}}
    scripts = [step["run"] for step in steps("publish.yml") if "run" in step]
    assert scripts.index(".ci/run") < next(n for n, script in enumerate(scripts) if "make release" in script)
    (with_secrets,) = (step for step in steps("publish.yml") if "secrets." in str(step))
    assert "make release" in with_secrets["run"]


@pytest.mark.parametrize(("index", "expected"), [("", ""), ("pypi", "--index pypi")])
def test_the_commands_of_publishing(index, expected):
    """Run in a shell, with make saying what it would do."""
    *_, compare, _, last = (step["run"] for step in steps("publish.yml") if "run" in step)
    version = re.search(r'__version__ = "(.+)"', (ROOT / "src" / "emo3d" / "__init__.py").read_text())[1]
    for tag, code in ((f"v{version}", 0), ("v9.9.9", 1), (f"v{version}.1", 1)):
        done = subprocess.run(["sh", "-c", compare], cwd=ROOT, env=os.environ | {"GITHUB_REF_NAME": tag})
        assert done.returncode == code
    variables = {"NAMESPACE": "lab", "PACKAGE_INDEX": index}
    command = ["sh", "-c", last.replace("make ", "make --dry-run --silent ", 1)]
    said = subprocess.run(command, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, check=True)
    assert f"emo3d release --namespace lab {expected}".strip() in said.stdout
