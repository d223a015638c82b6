"""What this machine has of all that Emo3D needs, and what to do about the rest."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from huggingface_hub import HfApi, constants, get_token, try_to_load_from_cache
from huggingface_hub.utils import HfHubHTTPError, get_session
from packaging.requirements import Requirement

import emo3d

Level = Literal["ok", "note", "problem"]

PACKAGES = ("datasets", "evaluate", "transformers", "gradio", "huggingface_hub", "torch")
WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin")
TIMEOUT = 4.0  # seconds, of each question to the Hub
LITTLE, TOO_LITTLE = 5e9, 1e9  # bytes free; the default backbone is 0.6 GB


@dataclass(frozen=True)
class Finding:
    """One line of `examine`.

    Attributes:
        what: was looked at.
        level: `"ok"`, `"note"` (something will not work, the rest does), or `"problem"`.
        found: what is there. Never a token.
        advice: what to do; empty where nothing is.
    """

    what: str
    level: Level
    found: str
    advice: str = ""


def examine(namespace: str | None = None) -> list[Finding]:
    """Look at versions, device, cache, Hub, token, the score's default backbone and the quickstart's text encoder.

    Without a network it takes a few seconds: the Hub is asked once whether it is there, and nothing more if it is not.

    Args:
        namespace: user or organisation to publish for; lacking the right to do so is a problem then.
    """
    findings = [_python(), *_versions(), _guarded("device", _device), _guarded("cache", _cache)]
    hub = _hub()
    online = hub.level == "ok"
    findings += [
        hub,
        _guarded("token", lambda: _token(namespace, online)),
        _guarded("default backbone", lambda: _backbone(online)),
        _guarded("text encoder", lambda: _text_encoder(online)),
    ]
    return findings


def _guarded(what: str, check: Callable[[], Finding]) -> Finding:
    """What a check finds, where an error (a broken torch, say) is a finding too; its text might hold a token."""
    try:
        return check()
    except Exception as error:
        return Finding(
            what,
            "problem",
            f"could not be looked at ({type(error).__name__})",
            "try again; then, install Emo3D in a fresh environment",
        )


def _python() -> Finding:
    return Finding("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")


def _versions() -> Iterator[Finding]:
    try:
        requirements = [Requirement(line) for line in metadata.requires("emo3d") or ()]
    except metadata.PackageNotFoundError:
        yield Finding("emo3d", "problem", f"{emo3d.__version__}, a folder that is not installed", "pip install it")
        return
    yield Finding("emo3d", "ok", emo3d.__version__)
    for package in PACKAGES:
        wanted = next(r for r in requirements if r.name.replace("-", "_") == package)
        extra = _extra(wanted)
        install = f'pip install "emo3d[{extra}]"' if extra else f'pip install "{package}{wanted.specifier}"'
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            yield Finding(package, "note" if extra else "problem", "not installed", install)
            continue
        if wanted.specifier.contains(version, prereleases=True):
            yield Finding(package, "ok", version)
        else:
            advice = f'pip install "{package}{wanted.specifier}"'
            yield Finding(package, "problem", f"{version}, expected {wanted.specifier}", advice)


def _extra(requirement: Requirement) -> str | None:
    """The extra that brings a requirement, or None where Emo3D always does."""
    if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
        return None
    return next(
        extra
        for extra in metadata.metadata("emo3d").get_all("Provides-Extra") or ()
        if requirement.marker.evaluate({"extra": extra})
    )


def _device() -> Finding:
    import torch

    if torch.cuda.is_available():
        return Finding("device", "ok", f"cuda: {torch.cuda.get_device_name()}")
    if torch.backends.mps.is_available():
        return Finding("device", "ok", "mps")
    return Finding("device", "ok", f"cpu, {torch.get_num_threads()} threads")


def _cache() -> Finding:
    folder = Path(constants.HF_HUB_CACHE)
    there = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(there).free
    found = f"{folder}, {free / 1e9:.1f} GB free"
    if not (there.is_dir() and os.access(there, os.W_OK | os.X_OK)):
        return Finding("cache", "problem", f"{folder} cannot be written", "set HF_HOME to a folder of yours")
    if free < LITTLE:
        level: Level = "problem" if free < TOO_LITTLE else "note"
        return Finding("cache", level, found, "make room (`hf cache prune`), or set HF_HOME to a larger disk")
    return Finding("cache", "ok", found)


def _hub() -> Finding:
    endpoint, advice = constants.ENDPOINT, "what is in the cache works; check the network, a proxy, HF_ENDPOINT"
    if constants.HF_HUB_OFFLINE:
        return Finding("hub", "note", "not asked, HF_HUB_OFFLINE is set", "unset it to load from the Hub or publish")
    start = time.monotonic()
    try:
        status = get_session().get(f"{endpoint}/api/models", params={"limit": 1}, timeout=TIMEOUT).status_code
    except Exception as error:  # of requests, httpx, ...: it depends on the version of huggingface_hub
        return Finding("hub", "note", f"{endpoint} cannot be reached ({type(error).__name__})", advice)
    if status >= 500:
        return Finding("hub", "note", f"{endpoint} answers {status}", "wait a little and try again")
    return Finding("hub", "ok", f"{endpoint} answers in {time.monotonic() - start:.1f} s")


def _token(namespace: str | None, online: bool) -> Finding:
    new = f"make a token with write rights at {constants.ENDPOINT}/settings/tokens, then `hf auth login` or HF_TOKEN"
    needed: Level = "problem" if namespace else "note"
    if get_token() is None:
        return Finding("token", needed, "none; only publishing and private repositories need one", new)
    if not online:
        return Finding("token", needed, "there, its rights unknown while the Hub cannot be asked", "ask again later")
    try:
        account = HfApi().whoami()
    except HfHubHTTPError as error:  # its text is not shown, it might hold the token
        status = error.response.status_code
        if status in (401, 403):
            return Finding("token", "problem", "refused by the Hub, which breaks downloads too", new)
        return Finding("token", needed, f"its rights unknown, the Hub answers {status}", "wait a little and try again")
    writable = namespaces(account)
    found = f"{account['name']}, may write to {', '.join(writable) or 'nothing'}"
    if namespace and namespace not in writable:
        return Finding("token", "problem", f"{found}, not to {namespace}", new)
    return Finding("token", "ok", found) if writable else Finding("token", "note", found, f"to publish, {new}")


def namespaces(account: Mapping[str, Any]) -> list[str]:
    """Users and organisations that a token may write to, out of the Hub's answer to `whoami`."""
    token = account.get("auth", {}).get("accessToken", {})
    if token.get("role") == "fineGrained":
        scopes = token.get("fineGrained", {}).get("scoped", [])
        whole = [s for s in scopes if s["entity"]["type"] != "repo"]
        return [s["entity"]["name"] for s in whole if "repo.write" in s["permissions"]]
    if token.get("role") not in ("write", "admin"):
        return []
    member = ("admin", "write", "contributor")
    return [account["name"], *(org["name"] for org in account.get("orgs", ()) if org.get("roleInOrg") in member)]


def _backbone(online: bool) -> Finding:
    from emo3d.backbones.dual import DEFAULT_BACKBONE

    fetch = f"score with --backbone quickstart, or `hf download {DEFAULT_BACKBONE}` where there is a network"
    if _cached(DEFAULT_BACKBONE):
        return Finding("default backbone", "ok", f"{DEFAULT_BACKBONE}, in the cache")
    if not online:
        return Finding("default backbone", "note", f"{DEFAULT_BACKBONE} is not in the cache", fetch)
    try:
        HfApi().model_info(DEFAULT_BACKBONE, timeout=TIMEOUT)
    except HfHubHTTPError as error:
        status = error.response.status_code
        return Finding("default backbone", "note", f"{DEFAULT_BACKBONE}: the Hub answers {status}", fetch)
    return Finding("default backbone", "ok", f"{DEFAULT_BACKBONE}, on the Hub: the first score fetches it, 0.6 GB")


def _text_encoder(online: bool) -> Finding:
    from emo3d.encoders import MINILM, EncoderUnavailableError, packaged_minilm

    install = 'pip install "emo3d[offline]"'
    try:
        if packaged_minilm():
            return Finding("text encoder", "ok", f"{MINILM}, from its package")
    except EncoderUnavailableError as error:
        return Finding("text encoder", "problem", str(error), f"{install} --force-reinstall")
    if _cached(MINILM):
        return Finding("text encoder", "ok", f"{MINILM}, in the cache")
    if online:
        return Finding("text encoder", "note", f"{MINILM} is not here, it is fetched once", f"or {install}")
    return Finding("text encoder", "problem", f"{MINILM} is not here, which the quickstart and demo need", install)


def _cached(model_id: str) -> bool:
    return any(isinstance(try_to_load_from_cache(model_id, name), str) for name in WEIGHTS)
