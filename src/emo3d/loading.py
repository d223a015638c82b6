"""First steps that take long: what several threads ask for is loaded once, and a user who waits is told why.

And parts of the workshop, which this package finds by their entry points and never imports by name.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from functools import lru_cache, wraps
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

Loader = TypeVar("Loader", bound=Callable[..., Any])

FROM_PRETRAINED = threading.RLock()
"""Held around `from_pretrained`: transformers sets PyTorch's default dtype, and takes away its initialisers, for the
whole process while a model is built. Taken after the lock of a `loaded_once`, never before."""

PATIENCE = 2.0
"""Seconds after which a long step is logged."""


@contextlib.contextmanager
def damage_explained(kind: str, id: str) -> Iterator[None]:
    """What a damaged model makes transformers, tokenizers and PyTorch raise, as one sentence in a ValueError.

    Args:
        kind: of the model, for the message.
        id: a folder, or an id on the Hub.
    """
    try:
        yield
    except OSError:
        raise
    except BaseException as error:
        # Tokenizers' Rust code panics with an exception of its own that is no Exception.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise ValueError(f"expected a whole {kind}, {id} cannot be used: {reason}") from error
        raise


def find_commit(id: str, revision: str | None = None) -> str:
    """Look up which commit of a model on the Hub a branch or tag is, for transformers 5 does not say what it loaded.

    Args:
        id: on the Hub, of a model with a `config.json`.
        revision: branch, tag or commit; the main branch when None.

    Raises:
        OSError: it is neither in the local cache nor on a Hub that can be reached.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HFValidationError

    try:
        return Path(hf_hub_download(id, "config.json", revision=revision)).parent.name
    except HFValidationError as error:
        raise OSError(f"{id} is no id on the Hub") from error


def loaded_once(maxsize: int) -> Callable[[Loader], Loader]:
    """Make an `lru_cache` whose concurrent calls with the same arguments run once."""

    def decorate(load: Loader) -> Loader:
        cache = lru_cache(maxsize)(load)
        locks: dict[Any, threading.RLock] = {}

        @wraps(load)
        def call(*arguments: Any) -> Any:
            # An entry is a hundred bytes; ever new arguments load far larger things.
            with locks.setdefault(arguments, threading.RLock()):
                return cache(*arguments)

        call.cache_clear = cache.cache_clear  # type: ignore[attr-defined]
        call.cache_info = cache.cache_info  # type: ignore[attr-defined]
        return call  # type: ignore[return-value]

    return decorate


def announce(step: str) -> threading.Timer:
    """Log a step, as in "compiling the renderer", if the timer is not cancelled within `PATIENCE`."""
    timer = threading.Timer(PATIENCE, logger.warning, ("%s ...", step))
    timer.daemon = True
    timer.start()
    return timer


def workshop_part(name: str) -> Any:
    """Import the module of the workshop (`emo3d_lab`) that is entered under `emo3d.parts`.

    Raises:
        OSError: this installation has no such entry.
    """
    for entry in entry_points(group="emo3d.parts", name=name):
        return entry.load()
    raise OSError(f"this needs {name!r} of emo3d_lab, which is not installed here: pip install emo3d brings both")
