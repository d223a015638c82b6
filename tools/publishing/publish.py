"""Bring the Hub to what is planned: compare, commit what differs, tag."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from hashlib import sha256
from json import JSONDecodeError
from pathlib import Path
from typing import Any, TypeVar

from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.utils import (
    HfHubHTTPError,
    LocalTokenNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils.sha import git_hash, sha_fileobj

import emo3d
from publishing.checkout import build_wheel, committed
from publishing.plan import PARTS, Artifact, plan

logger = logging.getLogger(__name__)
Result = TypeVar("Result")

WAITS = [0.5, 1, 2, 4, 8]
"""Seconds before each further attempt at a call."""

# The HTTP library, and so what a lost connection raises, is another from version to version of huggingface_hub, which
# makes a RuntimeError of a failed upload, and reads an error page as JSON where a card is checked.
_TROUBLE: tuple[Any, ...] = (*HfHubHTTPError.__bases__, OSError, RuntimeError, JSONDecodeError)
_PASSING = {408, 412, 429, 500, 502, 503, 504}  # 412: somebody else has committed in between


class PublishError(OSError):
    """The Hub cannot be reached or refuses; what to do is in the message."""


@dataclass(frozen=True)
class Change:
    """How a branch on the Hub differs from its artifact.

    Attributes:
        artifact: what is to be there.
        exists: whether the repository does.
        private: whether the repository is.
        head: last commit of the branch, None where there is no such branch.
        new: paths that are to be added.
        changed: paths with other content.
        deleted: paths of ours that are no longer planned.
        size: bytes to upload.
        tag: what the tag is called.
        tagged: whether there is such a tag.
    """

    artifact: Artifact
    exists: bool
    private: bool | None
    head: str | None
    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    size: int = 0
    tag: str = ""
    tagged: bool = False

    @property
    def differs(self) -> bool:
        """Whether there is something to commit."""
        return bool(self.new or self.changed or self.deleted)

    @property
    def nothing(self) -> bool:
        """Whether all is as it should be."""
        return self.tagged and not self.differs


def publish(
    namespace: str,
    *,
    root: str | Path = ".",
    only: Sequence[str] = PARTS,
    private: bool = False,
    dry_run: bool = False,
    revision: str | None = None,
    dataset: str | Path | None = None,
    models: Sequence[str | Path] = (),
    wheel: str | Path | None = None,
    released: bool = False,
    confirm: Callable[[list[Change]], bool] = lambda changes: True,
    token: str | None = None,
) -> list[Change]:
    """Create and update the artifacts on the Hub. What is there already is left alone; run again, it goes on.

    Each branch gets one commit with all that differs, so that nobody loads half of an artifact, and each a tag.

    Args:
        namespace: a user or an organisation.
        root: a clone of the repository; its last commit is what is published.
        only: of `PARTS`.
        private: make new repositories private.
        dry_run: only say what would be done.
        revision: the tag; `v` and this package's version by default.
        dataset: a folder that `emo3d build` wrote, instead of the sample.
        models: folders of generators with a card, to publish beside the packaged ones.
        wheel: of this package, for the Spaces; by default one is built.
        released: this version is on a package index, so the Spaces need no wheel.
        confirm: asked before anything is done, with the changes.
        token: for the Hub; the saved one by default. It is not kept.

    Returns:
        The changes that were found, and made unless `dry_run` or refused by `confirm`.

    Raises:
        PublishError: the Hub cannot be reached or refuses, or the tag is on other content. An OSError.
        ValueError: see `plan`; or a public repository where private ones are asked for.
        FileNotFoundError: see `plan` and `committed`.
    """
    api, tag = HfApi(token=token), revision or f"v{emo3d.__version__}"
    if not dry_run:
        check_token(api, namespace)
    with committed(Path(root)) as tree, tempfile.TemporaryDirectory(prefix="emo3d-") as folder:
        if not released and wheel is None and {"metric", "demo"} & set(only):
            wheel = build_wheel(tree, Path(folder))
        artifacts = plan(
            tree,
            namespace,
            endpoint=api.endpoint,
            only=only,
            dataset=Path(dataset) if dataset else None,
            models=[Path(model) for model in models],
            wheel=Path(wheel) if wheel else None,
        )
        if private and wheel is not None:
            logger.warning("a private Space cannot fetch its wheel, and starts once emo3d is released (--released)")
        return bring(api, artifacts, tag, private=private, dry_run=dry_run, confirm=confirm)


def bring(
    api: HfApi,
    artifacts: Sequence[Artifact],
    tag: str,
    *,
    private: bool = False,
    dry_run: bool = False,
    confirm: Callable[[list[Change]], bool] = lambda changes: True,
) -> list[Change]:
    """Bring the Hub to what is planned; see `publish`."""
    changes = [_patiently(each.repo, partial(compare, api, each, tag)) for each in artifacts]
    if private and (public := {change.artifact.repo for change in changes if change.private is False}):
        raise ValueError(f"{', '.join(sorted(public))} is public: make it private in its settings on the Hub first")
    if not dry_run and not all(change.nothing for change in changes) and confirm(changes):
        for change in changes:
            if not change.nothing:
                _make(api, change, tag, private)
    return changes


def compare(api: HfApi, artifact: Artifact, tag: str) -> Change:
    """Say how the Hub differs from what is planned; the tag of a branch but main has its name at the end.

    Raises:
        PublishError: the tag is on other content.
    """
    if artifact.branch != "main":
        tag = f"{tag}-{artifact.branch}"
    there: dict[str, Any] = {"repo_id": artifact.repo, "repo_type": artifact.kind, "files_metadata": True}
    private, head = None, None
    new, changed, deleted = list(artifact.files), list[str](), list[str]()
    try:
        info: Any = api.repo_info(**there, revision=artifact.branch)
        private, head, (new, changed, deleted) = info.private, info.sha, _differences(artifact, info.siblings)
    except RepositoryNotFoundError:
        return Change(artifact, False, None, None, list(artifact.files), size=_size(artifact, artifact.files), tag=tag)
    except RevisionNotFoundError:
        pass
    try:
        info, tagged = api.repo_info(**there, revision=tag), True
        if any(_differences(artifact, info.siblings)):
            raise PublishError(
                f"the tag {tag} of {artifact.repo} is on other content: publish under another one (--revision)"
            )
    except RevisionNotFoundError:
        tagged = False
    size = _size(artifact, [*new, *changed])
    return Change(artifact, True, private, head, new, changed, deleted, size, tag, tagged)


def _differences(artifact: Artifact, siblings: Iterable[Any]) -> tuple[list[str], list[str], list[str]]:
    """Paths that are new, changed, and deleted."""
    there = {file.rfilename: file for file in siblings}
    new = [path for path in artifact.files if path not in there]
    changed = [
        path
        for path, content in artifact.files.items()
        if path in there and _digest(content, lfs=bool(there[path].lfs)) != _digest_there(there[path])
    ]
    deleted = [path for path in there if path not in artifact.files and artifact.owns(path)]
    return new, changed, deleted


def _digest_there(file: Any) -> str:
    return file.lfs["sha256"] if file.lfs else file.blob_id


def _digest(content: bytes | Path, *, lfs: bool) -> str:
    """What the Hub tells contents apart by."""
    if isinstance(content, Path):
        return _digest_of_file(content, content.stat().st_mtime_ns, lfs)
    return sha256(content).hexdigest() if lfs else git_hash(content)


@lru_cache(maxsize=10_000)
def _digest_of_file(path: Path, _changed: int, lfs: bool) -> str:
    with path.open("rb") as file:
        return sha_fileobj(file).hex() if lfs else git_hash(file.read())


def _size(artifact: Artifact, paths: Iterable[str]) -> int:
    contents = [artifact.files[path] for path in paths]
    return sum(len(each) if isinstance(each, bytes) else each.stat().st_size for each in contents)


def _make(api: HfApi, change: Change, tag: str, private: bool) -> None:
    artifact = change.artifact
    there: dict[str, Any] = {"repo_id": artifact.repo, "repo_type": artifact.kind}

    def call(function: Callable[..., Result], **arguments: Any) -> Result:
        return _patiently(artifact.repo, partial(function, **there, **arguments))

    if not change.exists:
        sdk = {"space_sdk": "gradio"} if artifact.kind == "space" else {}
        call(api.create_repo, private=private, exist_ok=True, **sdk)
    if change.head is None and artifact.branch != "main":  # from the first commit: none of main's files is in it
        first = call(api.list_repo_commits)[-1].commit_id
        call(api.create_branch, branch=artifact.branch, revision=first, exist_ok=True)
    head = _patiently(artifact.repo, partial(_commit, api, artifact, tag))
    call(api.create_tag, tag=change.tag, revision=head, exist_ok=True)
    logger.info("published %s, %s", artifact.repo, artifact.branch)


def _commit(api: HfApi, artifact: Artifact, tag: str) -> str:
    """Commit what differs now, and nothing where an earlier attempt did it though its answer was lost; the commit."""
    now = compare(api, artifact, tag)
    if now.head is None:
        raise ConnectionError(f"{artifact.repo} was made, and is not there yet")
    if not now.differs:
        return now.head
    added = [CommitOperationAdd(path, artifact.files[path]) for path in (*now.new, *now.changed)]
    return api.create_commit(
        artifact.repo,
        [*added, *(CommitOperationDelete(path) for path in now.deleted)],
        commit_message=f"emo3d {emo3d.__version__}",
        repo_type=artifact.kind,
        revision=artifact.branch,
        parent_commit=now.head,
    ).oid


def check_token(api: HfApi, namespace: str) -> None:
    """Raise a `PublishError` where there is no token, or none for this namespace."""
    known = _patiently(namespace, api.whoami)
    own = [known["name"], *(each["name"] for each in known.get("orgs", []))]
    if namespace not in own:
        raise PublishError(f"the token is of {known['name']} and may write to {', '.join(own)}, not to {namespace}")


def _patiently(what: str, call: Callable[[], Result]) -> Result:
    """Call; again after a while where the trouble may pass."""
    waits = iter(WAITS)
    while True:
        try:
            return call()
        except LocalTokenNotFoundError as error:
            raise PublishError("no token for the Hub: log in with `hf auth login`, or set HF_TOKEN") from error
        except (PublishError, FileNotFoundError, PermissionError):
            raise
        except _TROUBLE as error:
            status = getattr(getattr(error, "response", None), "status_code", None)
            wait = next(waits, None) if status in {None, *_PASSING} else None
            if wait is None:
                raise PublishError(_explained(what, status, error)) from error
            logger.info("%s: %s, trying again in %s s", what, status or type(error).__name__, wait)
            time.sleep(wait)


def _explained(what: str, status: int | None, error: Exception) -> str:
    """One sentence; nothing of the request is in it, where addresses with rights of their own may be."""
    if status == 401:
        return "the Hub does not accept the token: log in with `hf auth login`, or set HF_TOKEN"
    if status == 403:
        return f"the token may not write to {what}: it needs the right to write there"
    trouble = f"answered {status}" if status else f"did not answer as it should ({type(error).__name__})"
    return f"{what}: the Hub {trouble}; run the same command again, what is done stays done"
