"""The workflow files: what they run is there, and rights are given to the step or job that needs them."""

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
    return [step for job in workflow(name)["jobs"].values() for step in job["steps"]]


def scripts(name):
    return [step["run"] for step in steps(name) if "run" in step]


def test_ci_is_the_script():
    assert scripts("ci.yml")[-1] == ".ci/run"
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_rights(path):
    for step in steps(path.name):
        assert "${{" not in step.get("run", "")  # whatever is written into a script is run
        assert re.search(r"@v\d", step.get("uses", "@v0"))  # an action has a version, not a branch
    assert workflow(path.name)["permissions"] == {"contents": "read"}
    text = path.read_text("utf-8")
    assert not re.search(r"hf_\w{10,}|pypi-\w{10,}|ghp_\w{10,}", text)
    assert set(re.findall(r"secrets\.\w+", text)) == ({"secrets.HF_TOKEN"} if path.name == "publish.yml" else set())


def test_pypi_trusts_one_job_that_runs_nothing_of_ours():
    jobs = workflow("publish.yml")["jobs"]
    assert [name for name, job in jobs.items() if "permissions" in job] == ["pypi"]
    assert jobs["pypi"]["permissions"] == {"id-token": "write"}
    download, upload = jobs["pypi"]["steps"]
    assert download["uses"].startswith("actions/download-artifact@")
    assert re.fullmatch(r"pypa/gh-action-pypi-publish@v\d+\.\d+\.\d+", upload["uses"])


def test_publishing_is_for_tags_and_tests_first():
    content = workflow("publish.yml")
    assert content["on"] == {"push": {"tags": ["v*"]}}
    build = [step.get("run") for step in content["jobs"]["build"]["steps"]]
    assert build.index(".ci/run") < build.index("make dist")
    assert content["jobs"]["pypi"]["needs"] == "build"
    assert content["jobs"]["hub"]["needs"] == "pypi"  # its Spaces ask for the version that is on PyPI then
    (with_secrets,) = (step for step in steps("publish.yml") if "secrets." in str(step))
    assert "make publish" in with_secrets["run"]


def test_the_tag_is_the_version_and_in_the_changelog(tmp_path):
    (compare,) = (script for script in scripts("publish.yml") if "GITHUB_REF_NAME" in script)
    (tmp_path / "src" / "emo3d").mkdir(parents=True)
    (tmp_path / "src" / "emo3d" / "__init__.py").write_text('"""Emo3D."""\n\n__version__ = "0.2.0"\n')
    for tag, section, code in (
        ("v0.2.0", "## 0.2.0 (2026-12-01)", 0),
        ("v0.2.0", "## 0.2.0 (unreleased)", 1),
        ("v0.2.0", "## 0.1.0 (2026-12-01)", 1),
        ("v9.9.9", "## 9.9.9 (2026-12-01)", 1),
        ("v0.2.0.1", "## 0.2.0.1 (2026-12-01)", 1),
    ):
        (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n{section}\n\n- New.\n")
        done = subprocess.run(["sh", "-e", "-c", compare], cwd=tmp_path, env=os.environ | {"GITHUB_REF_NAME": tag})
        assert done.returncode == code, (tag, section)


def test_make_refuses_a_release_that_is_not_ready(tmp_path):
    def git(*arguments):
        author = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", *author, *arguments], cwd=tmp_path, capture_output=True, check=True)

    def commit(section):
        (tmp_path / "CHANGELOG.md").write_text(f"# Changelog\n\n{section}\n\n- New.\n")
        git("add", "--all")
        git("commit", "--quiet", "--message", "changes")

    def refusal():
        return subprocess.run(["make", "--silent", "ready"], cwd=tmp_path, capture_output=True, text=True).stdout

    (tmp_path / "src" / "emo3d").mkdir(parents=True)
    (tmp_path / "src" / "emo3d" / "__init__.py").write_text('"""Emo3D."""\n\n__version__ = "0.2.0"\n')
    (tmp_path / "Makefile").write_bytes((ROOT / "Makefile").read_bytes())
    git("init", "--quiet")
    for section in ("## 0.2.0 (unreleased)", "## 0.2.01 (2026-12-01)", "## 0.1.0 (2026-12-01)"):
        commit(section)
        assert refusal() == "CHANGELOG.md lacks a section ## 0.2.0 (DATE)\n"
    commit("## 0.2.0 (2026-12-01)")
    assert refusal() == ""
    (tmp_path / "notes.txt").write_text("")
    assert refusal() == "not everything is committed: commit or remove it first\n"
    (tmp_path / "notes.txt").unlink()
    git("tag", "v0.2.0")
    assert refusal() == "there is a tag v0.2.0: raise __version__\n"


def test_the_command_of_publishing():
    """Run in a shell, with make saying what it would do."""
    command = ["sh", "-c", scripts("publish.yml")[-1].replace("make ", "make --dry-run --silent ", 1)]
    variables = os.environ | {"NAMESPACE": "lab"}
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=True)
    assert "python tools/publish.py --namespace lab --released --yes" in done.stdout
