"""What the Hub of `hub.py` keeps: repositories of commits, branches and tags, and files as git and LFS know them."""

import contextlib
import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import yaml

LFS_SIZE = 10 << 20
LFS_SUFFIXES = set(".arrow .bin .glb .h5 .npy .npz .onnx .parquet .pt .pth .safetensors .whl .zip".split())


class RefusedError(Exception):
    """A request that is answered with a status, and for clients a code such as RepoNotFound."""

    def __init__(self, status, message, code=None):
        super().__init__(message)
        self.status = status
        self.headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})


def missing(what):
    return RefusedError(404, f"{what} not found", f"{what}NotFound")


@dataclass(frozen=True)
class File:
    """Content at `path`. `oid` is git's id: of the content, or of the pointer to what is on LFS under `sha256`."""

    path: Path
    size: int
    oid: str
    sha256: str | None = None
    pointer_size: int = 0

    @classmethod
    def regular(cls, path):
        return cls(path, path.stat().st_size, blob_id(path.read_bytes()))

    @classmethod
    def lfs(cls, path, sha256):
        size = path.stat().st_size
        pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256}\nsize {size}\n".encode()
        return cls(path, size, blob_id(pointer), sha256, len(pointer))

    def described(self):
        lfs = {"oid": self.sha256, "sha256": self.sha256, "size": self.size, "pointerSize": self.pointer_size}
        return {"size": self.size, "oid": self.oid, "blobId": self.oid} | ({"lfs": lfs} if self.sha256 else {})


@dataclass
class Commit:
    files: dict[str, File]
    title: str
    message: str = ""
    parent: "Commit | None" = None
    date: str = field(default_factory=lambda: f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z")

    def __post_init__(self):
        self.files = dict(sorted(self.files.items()))
        content = [f"{path} {file.oid}" for path, file in self.files.items()]
        lines = [self.parent.oid if self.parent else "", self.date, self.title, self.message, *content]
        self.oid = hashlib.sha1("\n".join(lines).encode()).hexdigest()

    def history(self):
        commit = self
        while commit:
            yield commit
            commit = commit.parent

    def last_change(self, path):
        """The commit that made the file what it is here; of a folder, this one."""
        changed = self
        while path in self.files and changed.parent and changed.parent.files.get(path) == self.files[path]:
            changed = changed.parent
        return {"id": changed.oid, "title": changed.title, "date": changed.date}

    def entries(self, paths, expanded):
        """What the Hub says of files and folders."""
        for path in paths:
            if path in self.files:
                entry = {"type": "file", "path": path, **self.files[path].described()}
            else:
                entry = {"type": "directory", "path": path, "oid": "0" * 40, "size": 0}
            yield entry | ({"lastCommit": self.last_change(path)} if expanded else {})

    def below(self, folder, recursive):
        """Paths of files and folders in a folder, or everything below it."""
        inside = f"{folder}/" if folder else ""
        found = set()
        for path in self.files:
            if path.startswith(inside):
                parts = path[len(inside) :].split("/")
                depths = range(1, len(parts) + 1) if recursive else [1]
                found |= {inside + "/".join(parts[:depth]) for depth in depths}
        return sorted(found)

    def card_data(self):
        card = self.files.get("README.md")
        with contextlib.suppress(ValueError):
            return front_matter(card.path.read_text("utf-8")) if card else {}
        return {}


@dataclass
class Repository:
    kind: str
    id: str
    private: bool = False
    sdk: str | None = None
    branches: dict[str, Commit] = field(default_factory=dict)
    tags: dict[str, Commit] = field(default_factory=dict)
    pulls: dict[str, Commit] = field(default_factory=dict)  # open ones, by their ref as in refs/pr/1

    @property
    def path(self):
        """Where it lies under the Hub's address."""
        return self.id if self.kind == "models" else f"{self.kind}/{self.id}"

    def commit(self, revision="main"):
        """What a branch, a tag or the start of a commit's id names."""
        named = {**self.tags, **self.branches, **self.pulls}
        if revision in named:
            return named[revision]
        if re.fullmatch("[0-9a-f]{7,40}", revision):
            for head in named.values():
                for commit in head.history():
                    if commit.oid.startswith(revision):
                        return commit
        raise missing("Revision")

    def info(self, commit):
        card = commit.card_data()
        siblings = [{"rfilename": path, **file.described()} for path, file in commit.files.items()]
        shared = {"gated": False, "disabled": False, "downloads": 0, "likes": 0, "tags": card.get("tags", [])}
        if self.kind == "spaces":
            shared["sdk"] = card.get("sdk", self.sdk)
        if self.kind == "models":
            shared |= {name: card[name] for name in ("pipeline_tag", "library_name") if name in card}
        dates = {"createdAt": list(commit.history())[-1].date, "lastModified": commit.date}
        own = {"id": self.id, "author": self.id.split("/")[0], "sha": commit.oid, "private": self.private}
        return {**own, **dates, **shared, "cardData": card, "siblings": siblings}


def is_lfs(path, size):
    return size > LFS_SIZE or (size > 0 and Path(path).suffix in LFS_SUFFIXES)


def as_uploaded(path):
    """A file of a folder as a push would have stored it."""
    if not is_lfs(path, path.stat().st_size):
        return File.regular(path)
    return File.lfs(path, hashlib.sha256(path.read_bytes()).hexdigest())


def blob_id(content):
    """What git calls a content."""
    return hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()


def front_matter(text):
    """The YAML at the head of a card; a ValueError where it is none."""
    match = re.match(r"---\r?\n(.*?)\r?\n---(\r?\n|$)", text, re.DOTALL)
    try:
        found = yaml.safe_load(match[1]) if match else {}
    except yaml.YAMLError as error:
        raise ValueError(f"invalid YAML: {error}") from error
    if not isinstance(found or {}, dict):
        raise ValueError("invalid YAML: expected a mapping")
    return found or {}
