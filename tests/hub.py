"""A Hub on loopback for the real clients of tests: repositories with history, LFS, refs, and failures on request.

    with Hub({("datasets/ns/emo3d", "main"): folder}) as hub:
        subprocess.run([...], env=hub.environment(home))

A client reads HF_ENDPOINT when it is imported, so it runs in a process of its own, with `environment`. Answers follow
what huggingface_hub 2.4 and git-lfs read. Pull requests can be opened, and read by their ref. Not here: merging them,
Xet, gitignore, and names without a namespace.
"""

import asyncio
import base64
import contextlib
import hashlib
import json
import os
import re
import secrets
import socket
import struct
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlencode

import uvicorn
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response

from hub_benchmarks import FILE, check_benchmark, leaderboard, results
from hub_repositories import (
    LFS_SUFFIXES,
    Commit,
    File,
    RefusedError,
    Repository,
    as_uploaded,
    blob_id,
    front_matter,
    is_lfs,
    missing,
)

USER, TOKEN = "me", "hf_loopback"
PAGE, EXPANDED_PAGE = 1000, 50

API = r"/api/(?P<kind>models|datasets|spaces)/(?P<id>[^/]+/[^/]+)"
WEB = r"/((?P<kind>datasets|spaces)/)?(?P<id>[^/]+/[^/]+)"
ROUTES: list[tuple[str, str, bool, Callable]] = []


class CutError(Exception):
    """As much of a body is sent as was asked for."""


@dataclass
class Failure:
    """What happens to the next `times` requests that match: a status, a cut body, or else a reset connection."""

    pattern: str
    times: int
    status: int | None = None
    after: int | None = None

    @property
    def resets(self):
        return self.status is None and self.after is None


def route(method, pattern, *, free=None):
    """Answer requests of a method and a raw path; all but reading needs the token, unless it is `free`."""

    def register(handler):
        ROUTES.append((method, pattern, method == "GET" if free is None else free, handler))
        return handler

    return register


class Hub:
    """A server of repositories; datasets are called `datasets/NAMESPACE/NAME`, Spaces `spaces/NAMESPACE/NAME`.

    Args:
        folders: (name, branch) -> folder, of which each is the first commit of its branch. They are read when the Hub
            is made and never written: what is pushed lies in a temporary folder.

    Attributes:
        url: for HF_ENDPOINT.
        requests: method, raw path and Range header of each request so far.
        told: raw path of each request that brought a token.
        benchmarks: ids of datasets that are on the Hub's list of benchmarks, which its people keep by hand.
    """

    def __init__(self, folders=()):
        self.requests = []
        self.told = []
        self.benchmarks = set()
        self._failures = []
        self._repositories = {}
        for (name, branch), folder in dict(folders).items():
            kind, id = name.split("/", 1) if name.count("/") == 2 else ("models", name)
            files = {p.relative_to(folder).as_posix(): as_uploaded(p) for p in Path(folder).rglob("*") if p.is_file()}
            repository = self._repositories.setdefault((kind, id), Repository(kind, id))
            repository.branches[branch] = Commit(files, "initial commit")

    def __enter__(self):
        self._storage = tempfile.TemporaryDirectory(prefix="hub-")
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        quiet = {"log_config": None, "log_level": 60, "access_log": False}  # a cut body is an error to uvicorn
        settings = {"http": "h11", "ws": "none", "lifespan": "off", "timeout_keep_alive": 60}
        self._server = uvicorn.Server(uvicorn.Config(self, timeout_graceful_shutdown=1, **settings, **quiet))
        self._thread = threading.Thread(target=self._server.run, args=([listener],), daemon=True)
        self._thread.start()
        while not self._server.started and self._thread.is_alive():
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self._server.should_exit = True
        self._thread.join()
        self._storage.cleanup()

    def environment(self, home):
        """Variables of a client whose caches are in `home`, a fresh folder: what is cached hides failures."""
        return os.environ | {
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(home),
            "HF_TOKEN": TOKEN,
            "HF_HUB_OFFLINE": "0",
            "HF_EVALUATE_OFFLINE": "0",
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_UPDATE_DOWNLOAD_COUNTS": "0",
            "NO_PROXY": "127.0.0.1",
        }

    def fail(self, pattern, *, status, times=1):
        """Answer the next `times` requests with a status, of those in whose "METHOD /path" the pattern is found."""
        self._failures.append(Failure(pattern, times, status=status))

    def drop(self, pattern, *, after, times=1):
        """Do what the next `times` such requests ask for, but close the connection after so many bytes of the body."""
        self._failures.append(Failure(pattern, times, after=after))

    def reset(self, pattern, *, times=1):
        """Reset the connection of the next `times` such requests, and do nothing."""
        self._failures.append(Failure(pattern, times))

    def mend(self):
        """Forget the failures that were asked for."""
        self._failures.clear()

    # --- the server: one thread, and no handler awaits between reading state and writing it ------------------------
    async def __call__(self, scope, receive, send):
        request, path = Request(scope, receive), scope["raw_path"].decode()
        failure = self._note(scope["method"], path, request.headers.get("Range"))
        if failure and failure.resets:
            connection = send.__self__.transport  # uvicorn's own; ASGI cannot reset
            connection.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.abort()
            return await asyncio.sleep(0)
        with contextlib.suppress(ClientDisconnect, CutError):
            if failure and failure.status:
                await drained(request)
                return await Response("told to fail", failure.status)(scope, receive, send)
            response = await self._answer(request, path)
            await response(scope, receive, cut(send, failure.after) if failure else send)

    def _note(self, method, path, span):
        """Note a request; the failure that it meets, or None."""
        self.requests.append((method, path, span))
        for failure in self._failures:
            bodiless = failure.after is not None and method == "HEAD"
            if failure.times and not bodiless and re.search(failure.pattern, f"{method} {path}"):
                failure.times -= 1
                return failure
        return None

    async def _answer(self, request, path):
        method = "GET" if request.method == "HEAD" else request.method
        if request.headers.get("Authorization"):
            self.told.append(path)
        request.state.authorised = request.headers.get("Authorization") == f"Bearer {TOKEN}"
        try:
            for accepted, pattern, free, handler in ROUTES:
                if method == accepted and (match := re.fullmatch(pattern, path)):
                    if not (free or request.state.authorised):
                        await drained(request)
                        raise RefusedError(401, "Invalid username or password.")
                    parts = {name: unquote(part) for name, part in match.groupdict().items() if part is not None}
                    answer = await handler(self, request, **parts)
                    return answer if isinstance(answer, Response) else as_json(answer)
            raise missing("Entry")
        except RefusedError as refused:
            return JSONResponse({"error": str(refused)}, refused.status, refused.headers)

    def _repository(self, request, id, kind="models"):
        repository = self._repositories.get((kind, id))
        if repository and repository.private and not request.state.authorised:
            raise RefusedError(401, "Invalid username or password.", "RepoNotFound")
        if repository is None:
            raise missing("Repo")
        return repository

    def _object(self, name):
        return Path(self._storage.name) / name

    def _keep(self, content):
        path = self._object(blob_id(content))
        if not path.exists():
            path.write_bytes(content)
        return File.regular(path)

    # --- accounts and repositories ----------------------------------------------------------------------------------
    @route("GET", "/api/whoami-v2", free=False)
    async def whoami(self, request):
        rights = {"type": "access_token", "accessToken": {"displayName": "loopback", "role": "write"}}
        return {"type": "user", "name": USER, "fullname": USER, "orgs": [], "auth": rights}

    @route("POST", "/api/validate-yaml", free=True)
    async def validate(self, request):
        try:
            found = front_matter((await request.json())["content"])
        except ValueError as error:
            return JSONResponse({"errors": [{"message": str(error)}], "warnings": []}, 400)
        empty = {"message": "empty or missing yaml metadata in repo card"}
        return {"errors": [], "warnings": [] if found else [empty]}

    @route("POST", "/api/repos/create")
    async def create(self, request):
        asked = await request.json()
        repository = Repository(*named(asked), is_private(asked), asked.get("sdk"))
        url = f"{self.url}/{repository.path}"
        if self._repositories.setdefault(named(asked), repository) is not repository:
            return JSONResponse({"error": "You already created this repo", "url": url}, 409)
        attributes = "".join(f"*{suffix} filter=lfs diff=lfs merge=lfs -text\n" for suffix in sorted(LFS_SUFFIXES))
        repository.branches["main"] = Commit({".gitattributes": self._keep(attributes.encode())}, "initial commit")
        return {"url": url, "name": repository.id, "id": repository.id}

    @route("DELETE", "/api/repos/delete")
    async def delete(self, request):
        kind, id = named(await request.json())
        self._repository(request, id, kind)
        del self._repositories[kind, id]
        return {}

    @route("PUT", f"{API}/settings")
    async def settings(self, request, **name):
        asked = await request.json()
        self._repository(request, **name).private = is_private(asked)
        return {}

    @route("GET", f"{API}(/revision/(?P<revision>[^/]+))?")
    async def info(self, request, revision="main", **name):
        repository = self._repository(request, **name)
        info = repository.info(repository.commit(revision))
        if "evalResults" in request.query_params.getlist("expand"):
            return {"id": info["id"], "evalResults": list(results(repository))}
        return info

    @route("GET", "/api/datasets")
    async def datasets(self, request):
        datasets = {id: each for (kind, id), each in self._repositories.items() if kind == "datasets"}
        if "benchmark:official" in request.query_params.getlist("filter"):
            listed = {id for id in self.benchmarks if id in datasets and FILE in datasets[id].commit().files}
            datasets = {id: each for id, each in datasets.items() if id in listed}
        return [each.info(each.commit()) for each in datasets.values() if not each.private]

    @route("GET", r"/api/(?P<kind>datasets)/(?P<id>[^/]+/[^/]+)/leaderboard")
    async def leaderboard(self, request, **name):
        dataset = self._repository(request, **name)
        if dataset.id not in self.benchmarks:
            raise RefusedError(404, "This dataset has no leaderboard")
        all_models = request.query_params.get("base_model") in ("false", "False")
        return leaderboard(self._repositories.values(), dataset, all_models)

    @route("GET", f"{API}/auth-check(/write)?")
    async def auth_check(self, request, **name):
        self._repository(request, **name)
        return {}

    # --- reading ----------------------------------------------------------------------------------------------------
    @route("GET", f"{API}/tree/(?P<revision>[^/]+)(/(?P<folder>.*))?")
    async def tree(self, request, revision, folder="", **name):
        commit = self._repository(request, **name).commit(revision)
        query = request.query_params
        paths = commit.below(folder.strip("/"), is_true(query.get("recursive")))
        if folder and not paths:
            raise missing("Entry")
        expanded = is_true(query.get("expand"))
        page, headers = self._page(request, paths, EXPANDED_PAGE if expanded else PAGE)
        return as_json(list(commit.entries(page, expanded)), headers)

    @route("POST", f"{API}/paths-info/(?P<revision>[^/]+)", free=True)
    async def paths_info(self, request, revision, **name):
        form = parse_qs((await request.body()).decode())
        commit = self._repository(request, **name).commit(revision)
        there = set(commit.below("", recursive=True))
        paths = [path.strip("/") for path in form["paths"] if path.strip("/") in there]
        return list(commit.entries(paths, is_true(form.get("expand", [""])[0])))

    @route("GET", f"{API}/refs")
    async def refs(self, request, **name):
        repository = self._repository(request, **name)

        def listed(kind, refs):
            return [{"name": ref, "ref": f"refs/{kind}/{ref}", "targetCommit": at.oid} for ref, at in refs.items()]

        branches, tags = listed("heads", repository.branches), listed("tags", repository.tags)
        return {"branches": branches, "tags": tags, "converts": [], "pullRequests": []}

    @route("GET", f"{API}/commits/(?P<revision>[^/]+)")
    async def commits(self, request, revision, **name):
        history = list(self._repository(request, **name).commit(revision).history())
        page, headers = self._page(request, history, EXPANDED_PAGE)
        author = [{"user": USER}]
        found = [{"id": c.oid, "title": c.title, "message": c.message, "date": c.date, "authors": author} for c in page]
        return as_json(found, headers)

    @route("GET", f"{WEB}/resolve/(?P<revision>[^/]+)/(?P<path>.+)")
    async def resolve(self, request, revision, path, **name):
        commit = self._repository(request, **name).commit(revision)
        file = commit.files.get(path)
        if file is None:
            raise missing("Entry")
        headers = {"X-Repo-Commit": commit.oid, "ETag": f'"{file.sha256 or file.oid}"'}
        if file.sha256:
            headers |= {"X-Linked-ETag": headers["ETag"], "X-Linked-Size": str(file.size)}
        response = FileResponse(file.path, headers=headers)
        response.chunk_size = 1 << 20
        return response

    def _page(self, request, rows, most):
        """Some of the rows, and the header that says where the next are."""
        query = request.query_params
        start, most = int(query.get("cursor", 0)), min(int(query.get("limit", most)), most)
        following = f"{self.url}{request.scope['raw_path'].decode()}?{urlencode({**query, 'cursor': start + most})}"
        link = {"Link": f'<{following}>; rel="next"'} if start + most < len(rows) else {}
        return rows[start : start + most], link

    # --- writing ----------------------------------------------------------------------------------------------------
    @route("POST", f"{API}/preupload/(?P<revision>[^/]+)")
    async def preupload(self, request, revision, **name):
        asked = (await request.json())["files"]
        files = self._repository(request, **name).commit(revision).files

        def answer(path, size):
            mode = {"uploadMode": "lfs" if is_lfs(path, size) else "regular", "shouldIgnore": False}
            return {"path": path, **mode, "oid": (files[path].sha256 or files[path].oid) if path in files else None}

        return {"files": [answer(file["path"], file["size"]) for file in asked]}

    @route("POST", f"{API}/commit/(?P<branch>[^/]+)")
    async def commit(self, request, branch, **name):
        operations = [json.loads(line) for line in (await request.body()).splitlines()]
        repository = self._repository(request, **name)
        if branch not in repository.branches:
            raise missing("Revision")
        head, header = repository.branches[branch], {}
        files = dict(head.files)
        for operation in operations:
            value, path = operation["value"], operation["value"].get("path", "")
            if operation["key"] == "header":
                header = value
            elif operation["key"] == "file":
                files[path] = self._keep(base64.b64decode(value["content"]))
            elif operation["key"] == "lfsFile":
                if not self._object(value["oid"]).exists():
                    raise RefusedError(400, f"LFS object {value['oid']} was not uploaded")
                files[path] = File.lfs(self._object(value["oid"]), value["oid"])
            else:  # deletedFile, deletedFolder
                inside = path.rstrip("/") + "/"
                gone = {p for p in files if (p == path if operation["key"] == "deletedFile" else p.startswith(inside))}
                if not gone:
                    raise RefusedError(404, "A file with this name doesn't exist", "EntryNotFound")
                files = {p: file for p, file in files.items() if p not in gone}
        if not head.oid.startswith(header.get("parentCommit") or ""):
            raise RefusedError(412, "A commit has happened since. Please refresh and try again.")
        if repository.kind == "datasets" and FILE in files:
            check_benchmark(files[FILE].path.read_text("utf-8"))
        made = Commit(files, header["summary"], header.get("description", ""), head)
        url = f"{self.url}/{repository.path}"
        answer = {"success": True, "commitOid": made.oid, "commitUrl": f"{url}/commit/{made.oid}"}
        if "create_pr" in request.query_params:
            number = len(repository.pulls) + 1
            repository.pulls[f"refs/pr/{number}"] = made
            return answer | {"pullRequestUrl": f"{url}/discussions/{number}"}
        repository.branches[branch] = made
        return answer

    @route("POST", f"{WEB}\\.git/info/lfs/objects/batch")
    async def batch(self, request, **name):
        asked = (await request.json())["objects"]
        self._repository(request, **name)
        for wanted in asked:
            if not self._object(wanted["oid"]).exists():
                href = f"{self.url}/lfs/{wanted['oid']}"
                wanted["actions"] = {"upload": {"href": href}, "verify": {"href": f"{href}/verify"}}
        return {"transfer": "basic", "objects": asked}

    @route("PUT", "/lfs/(?P<oid>[0-9a-f]{64})", free=True)  # as with a signed address, which is its own right
    async def put(self, request, oid):
        arriving, digest = self._object(f"{oid}.{secrets.token_hex(4)}"), hashlib.sha256()
        try:
            with arriving.open("wb") as file:
                async for block in request.stream():
                    digest.update(block)
                    file.write(block)
            if digest.hexdigest() != oid:
                raise RefusedError(400, f"expected content of sha256 {oid}, got {digest.hexdigest()}")
            arriving.replace(self._object(oid))
        finally:
            arriving.unlink(missing_ok=True)
        return Response()

    @route("POST", "/lfs/(?P<oid>[0-9a-f]{64})/verify")
    async def verify(self, request, oid):
        size = (await request.json())["size"]
        path = self._object(oid)
        if not path.exists() or path.stat().st_size != size:
            raise RefusedError(404, f"no LFS object {oid} of {size} bytes")
        return {}

    @route("POST", f"{API}/(?P<what>branch|tag)/(?P<ref>[^/]+)")
    async def create_ref(self, request, what, ref, **name):
        """A branch says where it starts in the body; a tag's address says what is tagged."""
        asked = await request.json()
        repository = self._repository(request, **name)
        refs = repository.branches if what == "branch" else repository.tags
        new, at = (ref, asked.get("startingPoint") or "main") if what == "branch" else (asked["tag"], ref)
        if new in refs:
            raise RefusedError(409, "Reference already exists")
        refs[new] = repository.commit(at)
        return {}

    @route("DELETE", f"{API}/(?P<what>branch|tag)/(?P<ref>[^/]+)")
    async def delete_ref(self, request, what, ref, **name):
        repository = self._repository(request, **name)
        refs = repository.branches if what == "branch" else repository.tags
        if what == "branch" and ref == "main":
            raise RefusedError(403, "The branch main cannot be deleted")
        if refs.pop(ref, None) is None:
            raise missing("Revision")
        return Response(status_code=204)


async def drained(request):
    """Read a request to its end, so that the client reads the answer instead of failing to write."""
    async for _ in request.stream():
        pass


def cut(send, after):
    """Send no more than so many bytes of a body."""
    left = after

    async def sending(message):
        nonlocal left
        if message["type"] == "http.response.body":
            body = message.get("body", b"")[:left]
            left -= len(body)
            message = {**message, "body": body, "more_body": True}
        await send(message)
        if message["type"] == "http.response.body" and not left:
            raise CutError

    return sending


def as_json(value, headers=None):
    return Response(json.dumps(value, default=str), 200, headers, "application/json")  # dates in cards are no JSON


def named(asked):
    """Kind and id of the repository that is to be made or deleted."""
    return f"{asked.get('type') or 'model'}s", f"{asked.get('organization') or USER}/{asked['name']}"


def is_private(asked):
    return asked.get("visibility") == "private" or asked.get("private") is True


def is_true(word):
    return (word or "").lower() in ("true", "1")
