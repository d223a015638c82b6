"""Publish small artifacts while the Hub fails: `hub_faults.py RUNS [SEED]`, where RUNS is a number of random runs, or
`turn` for one failure at each kind of call in turn, or `all` for each, passing and lasting, on a new and a used Hub.

It runs in a process of its own, since a client reads HF_ENDPOINT when it is imported, and prints what it found as JSON.
Waits are shortened, nothing else of the client is touched.
"""

import itertools
import json
import logging
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "tools")]
from hub import Hub  # noqa: E402

CARD = b"---\nlicense: mit\n---\n# A card\n"
PATTERNS = ("README.md", "*.safetensors", "data/*/*.parquet")
# Of the whole body, and within it: a commit whose answer is cut has been made.
WAYS = {
    "503": {"do": "fail", "status": 503},
    "reset": {"do": "reset"},
    "cut at 0": {"do": "drop", "after": 0},
    "cut at 10": {"do": "drop", "after": 10},
}


class Planned(NamedTuple):
    """An artifact and its content."""

    kind: str
    repo: str
    files: dict
    patterns: tuple
    branch: str = "main"


def artifacts(version):
    """One of each kind, and a second branch; the second version changes, adds and removes."""
    text = CARD + f"Version {version}\n".encode()
    files = {"README.md": text, f"data/v{version}/a.parquet": text * 40, "data/v/b.parquet": CARD}
    weights = {"README.md": text, "model.safetensors": text * 50}
    script = {"emo3d.py": f"VERSION = {version}\n".encode()}
    return [
        Planned("model", "me/model", weights, PATTERNS),
        Planned("dataset", "me/emo3d", files, PATTERNS),
        Planned("dataset", "me/emo3d", script, (*PATTERNS, "emo3d.py"), "script"),
        Planned("space", "me/space", weights, PATTERNS),
    ]


def gathered(version, folder):
    """The artifacts in folders, as they are published."""
    from plan import Artifact

    for number, (kind, repo, files, patterns, branch) in enumerate(artifacts(version)):
        for path, content in files.items():
            (folder / str(number) / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / str(number) / path).write_bytes(content)
        tag = f"v{version}" + ("" if branch == "main" else f"-{branch}")
        yield Artifact(kind, repo, tag, folder / str(number), patterns, branch)


def is_right(hub, version):
    """Whether each branch holds what is planned and has its tag."""
    for each in artifacts(version):
        repository = hub._repositories.get((f"{each.kind}s", each.repo))
        tag = f"v{version}" + ("" if each.branch == "main" else f"-{each.branch}")
        if not repository or each.branch not in repository.branches or tag not in repository.tags:
            return False
        at = repository.branches[each.branch]
        if content(at) != each.files or content(repository.tags[tag]) != each.files:
            return False
    return True


def content(commit):
    return {path: file.path.read_bytes() for path, file in commit.files.items() if path != ".gitattributes"}


def wrong_commits(hub, version):
    """Commits that are no whole version, and versions that were committed twice."""
    wrong = []
    for each in artifacts(version):
        repository = hub._repositories.get((f"{each.kind}s", each.repo))
        head = repository.branches.get(each.branch) if repository else None
        history = [content(commit) for commit in head.history()] if head else []
        whole = [next(a.files for a in artifacts(v) if (a.repo, a.branch) == (each.repo, each.branch)) for v in (1, 2)]
        wrong += [f"{each.repo} {each.branch}: {sorted(one)}" for one in history if one and one not in whole]
        wrong += [f"{each.repo} {each.branch}: committed twice" for one in whole if history.count(one) > 1]
    return wrong


def attempt(version):
    """Publish; the message where it could not be done."""
    from huggingface_hub import HfApi

    from publish import PublishError, check_token, find_changes, patiently, update

    try:
        check_token(HfApi(), "me")
        with tempfile.TemporaryDirectory() as folder:
            for artifact, _ in list(find_changes(HfApi(), gathered(version, Path(folder)))):
                patiently(artifact.repo, update, HfApi(), artifact)
    except PublishError as error:
        return str(error)
    return None


def start(hub, version):
    """An empty Hub, or one with the first version for the second to come upon."""
    hub.mend()
    hub._repositories.clear()
    for path in hub._object("").iterdir():
        path.unlink()
    if version == 2:
        assert attempt(1) is None


def fail(hub, pattern, way, times):
    way = dict(WAYS[way])
    getattr(hub, way.pop("do"))(pattern, times=times, **way)


def run(hub, version, failures):
    """One publication under failures and another without: what went wrong, and the message of the first."""
    start(hub, version)
    for failure in failures:
        fail(hub, *failure)
    said, wrong = attempt(version), []
    wrong += wrong_commits(hub, version)
    if said is None and not is_right(hub, version):
        wrong.append("it said that all is well, and it is not")
    if said is not None and ("\n" in said or "run the same command again" not in said):
        wrong.append(f"no message: {said!r}")
    hub.mend()
    again = attempt(version)
    wrong += wrong_commits(hub, version)
    if again is not None or not is_right(hub, version):
        wrong.append(f"the second run did not mend it: {again}")
    return [f"version {version}, {failures}: {each}" for each in wrong], said


def kinds_of_call(hub):
    """Patterns of the calls that publishing makes, new and again."""
    patterns = set()
    for version in (1, 2):
        start(hub, version)
        before = len(hub.requests)
        assert attempt(version) is None
        for method, path, _ in hub.requests[before:]:
            kind = re.sub(r"[0-9a-f]{40,}", "[0-9a-f]+", path)
            patterns.add(f"^{method} {re.sub('me/(model|emo3d|space)', 'me/[a-z0-9]+', kind)}$")
    return sorted(patterns)


def cases(hub, runs, seed):
    calls = kinds_of_call(hub)
    if not runs.isdigit():
        every = list(itertools.product(calls, WAYS))
        for place, case in enumerate(every):
            for version, times in itertools.product((1, 2), (1, 99)) if runs == "all" else [(1 + place % 2, 1)]:
                yield version, [(*case, times)]
        return
    chance = random.Random(seed)
    for _ in range(int(runs)):
        some = chance.sample(calls, chance.randint(1, 6))
        yield chance.choice([1, 2]), [(call, chance.choice([*WAYS]), chance.choice([1, 2, 5, 99])) for call in some]


def main(runs, seed=0):
    with tempfile.TemporaryDirectory() as home, Hub() as hub:
        os.environ.update(hub.environment(home), HF_HUB_DISABLE_PROGRESS_BARS="1")
        logging.disable()
        sleep = time.sleep
        time.sleep = lambda seconds: sleep(min(seconds, 0.005))
        wrong, outcomes, messages = [], Counter(), Counter()
        for version, failures in cases(hub, runs, seed):
            found, said = run(hub, version, failures)
            wrong += found
            outcomes["stopped" if said else "went through"] += 1
            messages[said] += said is not None
        print(json.dumps({"wrong": wrong, "calls": kinds_of_call(hub), **outcomes, "messages": list(+messages)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
