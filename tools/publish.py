"""Publish dataset, metric, demo, web page and models on the Hub: `python tools/publish.py --namespace me`.

Published is the last commit of the clone in which it is run. Each branch gets one commit and one tag, so that nobody
loads half of an artifact. Run again, it does only what is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from json import JSONDecodeError
from pathlib import Path
from typing import Annotated, Any

import typer
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, get_token
from huggingface_hub.utils import HfHubHTTPError

import emo3d
from plan import PARTS, Artifact, plan

app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)

WAITS = (0.5, 1, 2, 4, 8)  # seconds before each further attempt
LOG_IN = "log in with `hf auth login`, or set HF_TOKEN"
# The HTTP library, and so what a lost connection raises, is another from version to version of huggingface_hub, which
# makes a RuntimeError of a failed upload, and reads an error page as JSON where a card is checked.
TROUBLE: tuple[Any, ...] = (HfHubHTTPError.__bases__[0], ConnectionError, RuntimeError, JSONDecodeError)
# None: no answer; 404: what was just made is not there yet; 412: somebody else has committed in between.
TRANSIENT = {None, 404, 408, 412, 429, 500, 502, 503, 504}


class PublishError(Exception):
    """It cannot be published; what to do is in the message."""


def last_commit(root: Path, folder: Path) -> Path:
    """Put the files of a repository's last commit into a folder: nothing else that lies about can be published."""
    archive = folder / "commit.tar"
    command = ["git", "archive", "HEAD", "--output", str(archive)]
    if subprocess.run(command, cwd=root, capture_output=True, check=False).returncode:
        raise PublishError(f"expected a clone of emo3d's repository in {root.resolve()}")
    if subprocess.run(["git", "diff", "--quiet", "HEAD"], cwd=root, check=False).returncode:
        typer.echo("warning: what is not committed is not published", err=True)
    shutil.unpack_archive(archive, folder / "emo3d", filter="data")
    return folder / "emo3d"


def build_wheel(tree: Path) -> None:
    """Build a wheel of a repository's files, the same bytes from the same files, into their folder `dist`."""
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", str(tree)]
    environment = os.environ | {"SOURCE_DATE_EPOCH": "315532800"}  # 1980, where ZIP begins
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PublishError(f'the wheel could not be built: pip install build "setuptools>=77"\n{done.stderr}')


def build_page(root: Path, tree: Path) -> None:
    """Build the static Space of a repository's files, with the packages and the model that lie in its clone `root`."""
    for name in ("node_modules", ".model"):
        if not (root / "web" / name).is_dir():
            raise PublishError(
                f"the static Space needs web/{name}: `make web/{name}` makes it, or name others by --only"
            )
        (tree / "web" / name).symlink_to((root / "web" / name).resolve())
    try:
        command = ["node", str(tree / "web_space" / "build.mjs")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise PublishError("the static Space needs Node 20: install it, or name others by --only") from error
    if done.returncode:
        raise PublishError(f"the static Space could not be built\n{done.stderr}")


def find_changes(api: HfApi, artifacts: Iterable[Artifact], private: bool = False) -> Iterator[tuple[Artifact, str]]:
    """Artifacts that the Hub lacks or has otherwise, each with a text; a `PublishError` where it may not be changed."""
    for artifact in artifacts:
        branch, changed, stale = patiently(artifact.repo, compare, api, artifact, artifact.branch)
        release, *differences = patiently(artifact.repo, compare, api, artifact, artifact.tag)
        name = f"{artifact.kind} {artifact.repo}, {artifact.branch}{'' if branch else ' (to be made)'}"
        if release and any(differences):
            problem = f"the tag {artifact.tag} of {artifact.repo} is on other content"
            raise PublishError(f"{problem}: publish under another one (--revision)")
        if private and branch and not branch.private:
            raise PublishError(f"{artifact.repo} is public: make it private in its settings on the Hub first")
        if changed or stale or not release:
            lines = [*(f"+ {path}" for path in changed), *(f"- {path}" for path in stale)]
            yield artifact, "\n  ".join([f"{name}: tag {artifact.tag}", *lines])


def compare(api: HfApi, artifact: Artifact, revision: str) -> tuple[Any, list[str], list[str]]:
    """What the Hub knows of a branch or tag, None where there is none; paths that it lacks, and ours that should go."""
    repo: dict[str, Any] = {"repo_id": artifact.repo, "repo_type": artifact.kind}
    if not api.revision_exists(**repo, revision=revision):
        paths = [path for path in artifact.folder.rglob("*") if path.is_file()]
        return None, sorted(path.relative_to(artifact.folder).as_posix() for path in paths), []
    info = api.repo_info(**repo, revision=revision)
    check = api.verify_repo_checksums(**repo, revision=info.sha, local_dir=artifact.folder)
    changed = sorted([*check.extra_paths, *(mismatch["path"] for mismatch in check.mismatches)])
    return info, changed, [path for path in check.missing_paths if artifact.owns(path)]


def update(api: HfApi, artifact: Artifact, private: bool = False) -> None:
    """Make a branch what it should be. May be repeated: an attempt whose answer was lost may have done a part."""
    repo: dict[str, Any] = {"repo_id": artifact.repo, "repo_type": artifact.kind}
    api.create_repo(
        **repo, private=private, exist_ok=True, space_sdk=artifact.sdk if artifact.kind == "space" else None
    )
    if artifact.branch != "main":  # from the first commit: none of main's files is in it
        first = api.list_repo_commits(**repo)[-1].commit_id
        api.create_branch(**repo, branch=artifact.branch, revision=first, exist_ok=True)
    branch, changed, stale = compare(api, artifact, artifact.branch)
    head = branch and branch.sha
    operations: list[Any] = [CommitOperationAdd(path, artifact.folder / path) for path in changed]
    operations += map(CommitOperationDelete, stale)
    if operations:  # not `upload_folder`, which makes several commits of a large one
        commit = {**repo, "revision": artifact.branch, "parent_commit": head}
        head = api.create_commit(operations=operations, commit_message=f"emo3d {emo3d.__version__}", **commit).oid
    api.create_tag(**repo, tag=artifact.tag, revision=head, exist_ok=True)


def check_token(api: HfApi, namespace: str) -> None:
    """Raise a `PublishError` where there is no token, or none that may write to this namespace."""
    if not get_token():
        raise PublishError(f"no token for the Hub: {LOG_IN}")
    account = patiently(namespace, api.whoami)
    if namespace not in (names := namespaces(account)):
        rights = ", ".join(names) or "nothing"
        raise PublishError(f"the token is of {account['name']} and may write to {rights}, not to {namespace}")


def namespaces(account: Mapping[str, Any]) -> list[str]:
    """Users and organisations that a token may write to, out of the Hub's answer to `whoami`."""
    auth = account.get("auth", {})
    token = auth.get("accessToken", {})
    role = "write" if auth.get("type") == "oauth" else token.get("role")  # of `hf auth login`: let the Hub decide
    if role == "fineGrained":
        scopes = [scope for scope in token["fineGrained"]["scoped"] if "repo.write" in scope["permissions"]]
        return [scope["entity"]["name"] for scope in scopes if scope["entity"]["type"] != "repo"]
    orgs = [org["name"] for org in account.get("orgs", ()) if org.get("roleInOrg") in ("admin", "write", "contributor")]
    return [account["name"], *orgs] if role in ("write", "admin") else []


def patiently(repo: str, call: Callable[..., Any], *arguments: Any) -> Any:
    """Call; again after a while where the trouble may pass. No message has an address in it, which may be a right."""
    waits = iter(WAITS)
    while True:
        try:
            return call(*arguments)
        except TROUBLE as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            if status in TRANSIENT and (wait := next(waits, None)):
                time.sleep(wait)
                continue
            trouble = f"answered {status}" if status else f"did not answer as it should ({type(error).__name__})"
            again = f"{repo}: the Hub {trouble}; run the same command again, what is done stays done"
            refusals = {401: f"the Hub does not accept the token: {LOG_IN}", 403: f"the token may not write to {repo}"}
            raise PublishError(refusals.get(status or 0, again)) from error


@app.command()
def publish(
    namespace: Annotated[str, typer.Option(help="User or organisation on the Hub.")],
    only: Annotated[list[str] | None, typer.Option(help="models, dataset, metric, demo or web. Repeatable.")] = None,
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
    try:
        if not dry_run:
            check_token(api, namespace)
        with tempfile.TemporaryDirectory(prefix="emo3d-") as folder:
            tree = last_commit(Path(), Path(folder))
            if not released and {"metric", "demo"} & set(parts):
                build_wheel(tree)
                if private:
                    typer.echo("warning: a private Space cannot fetch its wheel, only a release (--released)", err=True)
            if "web" in parts:
                build_page(Path(), tree)
            artifacts = plan(tree, namespace, revision, parts, dataset, model or ())
            changes = list(find_changes(api, artifacts, private))  # all that may be wrong shows before a thing is done
            print("\n".join(text for _, text in changes) or f"{namespace}: everything is published already")
            if changes and not dry_run and (yes or typer.confirm("Do it?", abort=True)):
                for artifact, _ in changes:
                    patiently(artifact.repo, update, api, artifact, private)
    except (PublishError, ValueError, FileNotFoundError) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(2) from error


if __name__ == "__main__":
    app()
