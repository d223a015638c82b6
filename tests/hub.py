"""A Hub on loopback that serves folders as repositories, for the real clients of tests: read-only, small, told to fail.

    with Hub({("datasets/ns/emo3d", "main"): folder}) as hub:
        subprocess.run([...], env=hub.environment(home))

A client reads HF_ENDPOINT when it is imported, so it runs in a process of its own, with `environment`.
"""

import hashlib
import json
import os
import re
import socket
import threading
from dataclasses import dataclass
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

API = re.compile(r"/api/(?P<kind>models|datasets|spaces)/(?P<name>[^/]+/[^/]+)(/(?P<what>[a-z-]+)/(?P<rest>.+))?")
FILE = re.compile(r"/(?P<kind>datasets/|spaces/|)(?P<name>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
MOST_REQUESTS = 5000
DATE = "2025-01-01T00:00:00.000Z"


class MissingError(Exception):
    """What is asked for is not there; the word is the one by which clients tell it: Repo, Revision or Entry."""


@dataclass
class Failure:
    """What happens to the next `times` requests whose path ends so: a status, or a body cut off after some bytes."""

    ending: str
    times: int
    status: int | None = None
    after: int | None = None


class Hub:
    """A server of `repositories`, (name, branch) -> folder; datasets are called `datasets/NAMESPACE/NAME`.

    Attributes:
        url: for HF_ENDPOINT.
        requests: method, path and Range header of each request so far.
    """

    def __init__(self, repositories):
        self.repositories = {key: Path(folder) for key, folder in repositories.items()}
        self.requests = []
        self._failures = []
        self._lock = threading.Lock()

    def __enter__(self):
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.hub = self
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def environment(self, home):
        """Variables of a client whose caches are in `home`, a fresh folder: what is cached hides failures."""
        return os.environ | {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_TOKEN": "hf_loopback",
            "HF_HUB_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",
            "NO_PROXY": "127.0.0.1",
        }

    def fail(self, ending, *, status, times=1):
        """Answer the next `times` requests whose path ends so with a status."""
        self._failures.append(Failure(ending, times, status=status))

    def drop(self, ending, *, after, times=1):
        """Drop the connection after that many bytes of the next `times` downloads whose path ends so."""
        self._failures.append(Failure(ending, times, after=after))

    def mend(self):
        """Forget the failures that were asked for."""
        self._failures.clear()

    def note(self, method, path, span):
        """Note a request; the failure that it meets, or None."""
        with self._lock:
            self.requests.append((method, path, span))
            if len(self.requests) > MOST_REQUESTS:
                return Failure("", 0, status=503)
            for failure in self._failures:
                if failure.times and path.endswith(failure.ending) and (failure.status or method == "GET"):
                    failure.times -= 1
                    return failure
            return None

    def revision(self, name, revision):
        """Files and commit of a repository, asked for by branch or commit."""
        branches = {branch: folder for (repo, branch), folder in self.repositories.items() if repo == name}
        if not branches:
            raise MissingError("Repo")
        for branch, folder in branches.items():
            files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
            commit = hashlib.sha1("".join(f"{p} {blob_id(files[p])}\n" for p in sorted(files)).encode()).hexdigest()
            if revision in (branch, commit):
                return dict(sorted(files.items())), commit
        raise MissingError("Revision")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self):
        self.answer()

    def do_HEAD(self):
        self.answer()

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

    def answer(self, body=""):
        url = urlsplit(self.path)
        self.failure = self.server.hub.note(self.command, url.path, self.headers.get("Range"))
        if self.failure and self.failure.status:
            return self.send(b"told to fail", self.failure.status)
        try:
            if match := FILE.fullmatch(url.path):
                files, commit = self.server.hub.revision(match["kind"] + match["name"], unquote(match["revision"]))
                return self.send_file(entry(files, unquote(match["path"])), commit)
            if match := API.fullmatch(url.path):
                return self.send_json(self.api(match, parse_qs(url.query), parse_qs(body)))
            raise MissingError("Entry")
        except MissingError as missing:
            return self.send(b"not found", 404, {"X-Error-Code": f"{missing}NotFound"})

    def api(self, match, query, form):
        what, (revision, _, path) = match["what"] or "revision", (match["rest"] or "main").partition("/")
        name = match["name"] if match["kind"] == "models" else f"{match['kind']}/{match['name']}"
        files, commit = self.server.hub.revision(name, unquote(revision))
        if what == "revision":
            siblings = [{"rfilename": path, **described(files[path])} for path in files]
            shared = {"private": False, "gated": False, "disabled": False, "tags": [], "downloads": 0, "likes": 0}
            return {"id": match["name"], "sha": commit, "lastModified": DATE, "siblings": siblings, **shared}
        if what == "tree":
            return tree(files, unquote(path), query.get("recursive") == ["True"] or query.get("recursive") == ["true"])
        if what == "paths-info":
            return [found for path in form["paths"] for found in paths_info(files, path.strip("/"))]
        raise MissingError("Entry")

    def send_json(self, value):
        self.send(json.dumps(value).encode(), 200, {"Content-Type": "application/json"})

    def send_file(self, path, commit):
        size = path.stat().st_size
        start, end = span(self.headers.get("Range"), size)
        headers = {"ETag": f'"{blob_id(path)}"', "X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if start >= end and size:
            return self.send(b"", 416, {"Content-Range": f"bytes */{size}"})
        if "Range" in self.headers:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
        with path.open("rb") as file:
            file.seek(start)
            content = file.read(end - start) if self.command == "GET" else b""
        return self.send(content, 206 if "Range" in self.headers else 200, headers, end - start)

    def send(self, content, status, headers=None, length=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        if self.command == "HEAD":
            return
        if self.failure and self.failure.after is not None:
            self.wfile.write(content[: self.failure.after])
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True
        else:
            self.wfile.write(content)

    def log_message(self, *_):
        pass


def entry(files, path):
    if path not in files:
        raise MissingError("Entry")
    return files[path]


def span(header, size):
    """First byte and the one after the last of a Range header; the whole file without one."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", header or "")
    if match is None:
        return 0, size
    first, last = match.groups()
    if not first:
        return max(size - int(last), 0), size
    return int(first), min(int(last) + 1, size) if last else size


def described(path):
    return {"size": path.stat().st_size, "oid": blob_id(path), "blobId": blob_id(path)}


def tree(files, folder, recursive):
    """Files and folders in a folder, or everything below it."""
    inside = f"{folder}/" if folder else ""
    found = {}
    for path in files:
        if path.startswith(inside):
            parts = path[len(inside) :].split("/")
            folders = [inside + "/".join(parts[:depth]) for depth in range(1, len(parts))]
            for name in folders if recursive else folders[:1]:
                found[name] = {"type": "directory", "path": name, "oid": "0" * 40, "size": 0}
            if recursive or not folders:
                found[path] = {"type": "file", "path": path, **described(files[path])}
    if folder and not found:
        raise MissingError("Entry")
    return list(found.values())


def paths_info(files, path):
    """A file or folder, or nothing."""
    if path in files:
        return [{"type": "file", "path": path, **described(files[path])}]
    folder = any(name.startswith(f"{path}/") for name in files)
    return [{"type": "directory", "path": path, "oid": "0" * 40, "size": 0}] if folder else []


def blob_id(path):
    """What git calls the content of a file."""
    stat = path.stat()
    return _blob_id(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4096)
def _blob_id(path, size, changed):
    with path.open("rb") as file:
        digest = hashlib.sha1(f"blob {size}\0".encode())
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
