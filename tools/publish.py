"""Publish dataset, metric, demo and models on the Hub: `python tools/publish.py --namespace me`.

Published is the last commit of the clone in which it is run. Each branch gets one commit and one tag, so that nobody
loads half of an artifact. Run again, it does only what is missing.
"""

from __future__ import annotations

import io
import logging
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from json import JSONDecodeError
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.utils import (
    HfHubHTTPError,
    LocalTokenNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils.sha import git_hash

import emo3d
from plan import PARTS, Artifact, plan

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
Operation = CommitOperationAdd | CommitOperationDelete
Result = TypeVar("Result")

WAITS = (0.5, 1, 2, 4, 8)  # seconds before each further attempt
LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"

# The HTTP library, and so what a lost connection raises, is another from version to version of huggingface_hub, which
# makes a RuntimeError of a failed upload, and reads an error page as JSON where a card is checked.
TROUBLE: tuple[Any, ...] = (*HfHubHTTPError.__bases__, OSError, RuntimeError, JSONDecodeError)
TRANSIENT = {408, 412, 429, 500, 502, 503, 504}  # 412: somebody else has committed in between


class PublishError(Exception):
    """The Hub cannot be reached or refuses; what to do is in the message."""


@contextmanager
def last_commit(root: Path) -> Iterator[Path]:
    """A temporary folder with the files of a repository's last commit: nothing else in its folder can be published."""

    def git(*arguments: str) -> bytes:
        return subprocess.run(["git", *arguments], cwd=root, capture_output=True, check=True).stdout

    try:
        archive, changes = git("archive", "HEAD"), git("status", "--porcelain", "--untracked-files=no")
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        raise FileNotFoundError(f"expected a clone of emo3d's repository in {root.resolve()}") from error
    if changes:
        logging.warning("what is not committed is not published")
    with tempfile.TemporaryDirectory(prefix="emo3d-") as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(folder, filter="data")
        yield Path(folder)


def build_wheel(tree: Path) -> Path:
    """Build a wheel of a repository's files, the same bytes from the same files, into their folder `dist`."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", str(tree)]
    environment = os.environ | {"SOURCE_DATE_EPOCH": "315532800"}  # 1980, where ZIP begins
    process = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if process.returncode:
        reason = (process.stderr or process.stdout).strip().rpartition("\n")[2]
        raise ValueError(f'the wheel could not be built ({reason}): pip install build "setuptools>=77"')
    return next((tree / "dist").glob("*.whl"))


@dataclass(frozen=True)
class Change:
    """How a branch on the Hub differs from its artifact.

    Attributes:
        tag: of the branch; that of a branch but main has its name at the end.
        operations: of the commit that makes the branch what it should be; deletions are last.
        head: last commit of the branch, None where there is no such branch.
        private: whether the repository is, None where there is no such branch.
    """

    artifact: Artifact
    tag: str
    operations: list[Operation]
    head: str | None
    private: bool | None
    is_tagged: bool

    def __str__(self) -> str:
        additions = [operation for operation in self.operations if isinstance(operation, CommitOperationAdd)]
        size = sum(addition.upload_info.size for addition in additions) / 1e6
        branch = f"{self.artifact.branch}{'' if self.head else ' (to be made)'}"
        lines = [f"{self.artifact.kind} {self.artifact.repo}, {branch}: {size:.1f} MB, tag {self.tag}"]
        lines += [f"  + {addition.path_in_repo}" for addition in additions]
        lines += [f"  - {deletion.path_in_repo}" for deletion in self.operations[len(additions) :]]
        return "\n".join(lines)


def compare(api: HfApi, artifact: Artifact, tag: str) -> Change:
    """Say how the Hub differs from what is planned; raises a `PublishError` where the tag is on other content."""
    tag = tag if artifact.branch == "main" else f"{tag}-{artifact.branch}"
    additions = [CommitOperationAdd(path, content) for path, content in artifact.files.items()]
    branch, release = (_look_up(api, artifact, revision) for revision in (artifact.branch, tag))
    if release and _operations(artifact, additions, release):
        raise PublishError(
            f"the tag {tag} of {artifact.repo} is on other content: publish under another one (--revision)"
        )
    operations = _operations(artifact, additions, branch)
    return Change(artifact, tag, operations, branch and branch.sha, branch and branch.private, bool(release))


def _look_up(api: HfApi, artifact: Artifact, revision: str) -> Any:
    """What the Hub knows of a branch or tag and its files, or None where there is no such thing."""
    try:
        return api.repo_info(artifact.repo, repo_type=artifact.kind, revision=revision, files_metadata=True)
    except (RepositoryNotFoundError, RevisionNotFoundError):
        return None


def _operations(artifact: Artifact, additions: Sequence[CommitOperationAdd], branch: Any) -> list[Operation]:
    files = {file.rfilename: file for file in branch.siblings} if branch else {}
    stale = [path for path in files if path not in artifact.files and artifact.owns(path)]
    changes = [addition for addition in additions if not _is_same(addition, files.get(addition.path_in_repo))]
    return [*changes, *map(CommitOperationDelete, stale)]


def _is_same(addition: CommitOperationAdd, file: Any) -> bool:
    """Whether the Hub's file has this content, by the digest that the Hub keeps."""
    if file is None or file.lfs:
        return file is not None and file.lfs["sha256"] == addition.upload_info.sha256.hex()
    with addition.as_file() as content:
        return file.blob_id == git_hash(content.read())


def bring(
    api: HfApi,
    artifacts: Sequence[Artifact],
    tag: str,
    *,
    private: bool = False,
    confirm: Callable[[list[Change]], bool] = lambda changes: True,
) -> None:
    """Bring the Hub to what is planned, if `confirm` likes the changes.

    Raises:
        PublishError: the Hub cannot be reached or refuses, or the tag is on other content.
        ValueError: a public repository where private ones are asked for.
    """
    changes = [_patiently(artifact.repo, partial(compare, api, artifact, tag)) for artifact in artifacts]
    if private and (public := {change.artifact.repo for change in changes if change.private is False}):
        raise ValueError(f"{', '.join(sorted(public))} is public: make it private in its settings on the Hub first")
    changes = [change for change in changes if change.operations or not change.is_tagged]
    if confirm(changes):
        for change in changes:
            _patiently(change.artifact.repo, partial(_update, api, change.artifact, tag, private))


def _update(api: HfApi, artifact: Artifact, tag: str, private: bool) -> None:
    """Make a branch what it should be. May be repeated: an attempt whose answer was lost may have done a part."""
    repo: dict[str, Any] = {"repo_id": artifact.repo, "repo_type": artifact.kind}
    change = compare(api, artifact, tag)
    if change.head is None:
        sdk = "gradio" if artifact.kind == "space" else None
        api.create_repo(**repo, private=private, exist_ok=True, space_sdk=sdk)
        if artifact.branch != "main":  # from the first commit: none of main's files is in it
            first = api.list_repo_commits(**repo)[-1].commit_id
            api.create_branch(**repo, branch=artifact.branch, revision=first, exist_ok=True)
        change = compare(api, artifact, tag)
    if change.head is None:
        raise ConnectionError(f"{artifact.repo} was made, and is not there yet")
    repo |= {"revision": change.head}
    if change.operations:
        commit = {**repo, "revision": artifact.branch, "parent_commit": change.head}
        message = f"emo3d {emo3d.__version__}"
        repo |= {"revision": api.create_commit(operations=change.operations, commit_message=message, **commit).oid}
    api.create_tag(**repo, tag=change.tag, exist_ok=True)


def check_token(api: HfApi, namespace: str) -> None:
    """Raise a `PublishError` where there is no token, or none that may write to this namespace."""
    account = _patiently(namespace, api.whoami)
    names = namespaces(account)
    if namespace not in names:
        rights = ", ".join(names) or "nothing"
        raise PublishError(f"the token is of {account['name']} and may write to {rights}, not to {namespace}")


def namespaces(account: Mapping[str, Any]) -> list[str]:
    """Users and organisations that a token may write to, out of the Hub's answer to `whoami`."""
    auth = account.get("auth", {})  # `hf auth login` gives a token of OAuth, without a role: let the Hub decide
    token = auth.get("accessToken") or {"role": "write" if auth.get("type") == "oauth" else None}
    if token.get("role") == "fineGrained":
        scopes = token.get("fineGrained", {}).get("scoped", [])
        scopes = [scope for scope in scopes if "repo.write" in scope["permissions"]]
        return [scope["entity"]["name"] for scope in scopes if scope["entity"]["type"] != "repo"]
    if token.get("role") not in ("write", "admin"):
        return []
    member = ("admin", "write", "contributor")
    return [account["name"], *(org["name"] for org in account.get("orgs", ()) if org.get("roleInOrg") in member)]


def _patiently(repo: str, call: Callable[[], Result]) -> Result:
    """Call; again after a while where the trouble may pass."""
    for wait in (*WAITS, None):
        try:
            return call()
        except LocalTokenNotFoundError as error:
            raise PublishError(f"no token for the Hub: {LOG_IN}") from error
        except (FileNotFoundError, PermissionError):
            raise
        except TROUBLE as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            if wait is None or status not in {None, *TRANSIENT}:
                raise PublishError(_reason(repo, status, error)) from error
            time.sleep(wait)
    raise AssertionError


def _reason(repo: str, status: int | None, error: Exception) -> str:
    """One sentence; nothing of the request is in it, where addresses with rights of their own may be."""
    if status == 401:
        return f"the Hub does not accept the token: {LOG_IN}"
    if status == 403:
        return f"the token may not write to {repo}: it needs the right to write there"
    trouble = f"answered {status}" if status else f"did not answer as it should ({type(error).__name__})"
    return f"{repo}: the Hub {trouble}; run the same command again, what is done stays done"


@app.command()
def publish(
    namespace: Annotated[str, typer.Option(help="User or organisation on the Hub.")],
    only: Annotated[list[str] | None, typer.Option(help="models, dataset, metric or demo. Repeatable.")] = None,
    dataset: Annotated[Path | None, typer.Option(help="Folder of `emo3d build`, instead of the sample.")] = None,
    model: Annotated[list[Path] | None, typer.Option(help="Folder of a generator with its card. Repeatable.")] = None,
    revision: Annotated[str, typer.Option(help="Tag of this release.")] = f"v{emo3d.__version__}",
    released: Annotated[bool, typer.Option("--released", help="The Spaces take emo3d from a package index.")] = False,
    private: Annotated[bool, typer.Option("--private", help="Make new repositories private.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Publish the last commit on the Hub: say what would change, ask, do it. Run again, it goes on."""
    api, parts = HfApi(), only or PARTS

    def confirm(changes: list[Change]) -> bool:
        print("\n".join(map(str, changes)) or f"{namespace}: everything is published already")
        return bool(changes) and not dry_run and (yes or typer.confirm("Do it?", abort=True))

    try:
        if not dry_run:
            check_token(api, namespace)
        with last_commit(Path()) as tree:
            wheel = None if released or not {"metric", "demo"} & set(parts) else build_wheel(tree)
            if private and wheel:
                logging.warning(
                    "a private Space cannot fetch its wheel, and starts once emo3d is released (--released)"
                )
            sources: dict[str, Any] = {"dataset": dataset, "models": model or (), "wheel": wheel}
            artifacts = plan(tree, namespace, endpoint=api.endpoint, only=parts, **sources)
            bring(api, artifacts, revision, private=private, confirm=confirm)
    except (PublishError, ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(2) from error


if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s: %(message)s")
    app()
