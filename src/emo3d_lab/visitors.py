"""Repositories that visitors may have loaded: public ones of the Hub, without this process's token, and small.

Every id from a visitor, or from a repository that a visitor names (the encoder of a generator), goes through
`public_info`. A generator is fetched without a token and checked before anything of it is built; its encoder is fetched
in the same way, and the generator uses that copy, so that later nothing is looked up.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from huggingface_hub import HfApi, snapshot_download
from huggingface_hub.errors import HFValidationError, RepositoryNotFoundError, RevisionNotFoundError
from huggingface_hub.utils import validate_repo_id
from transformers import AutoConfig, AutoModel

from emo3d.backbones import QUICKSTART
from emo3d.documents import read_json, read_model_json
from emo3d.encoders import MINILM, packaged_minilm
from emo3d.generation.checks import check_numbers, plan_weights
from emo3d.generation.load import load_generator, models
from emo3d.loading import loaded_once

if TYPE_CHECKING:
    from emo3d.generation.load import Generator

LARGEST_MODEL = 2_000_000_000
"""Bytes of a repository's files that would be loaded."""
LARGEST_COUNT = LARGEST_MODEL // 4
"""Parameters that a configuration may ask for."""
WIDEST_PICTURE = 1024
"""Pixels of a side to which an image processor may bring pictures."""
TEXT_ENCODERS = ("albert", "bert", "camembert", "distilbert", "electra", "mpnet", "roberta", "xlm-roberta")
DUAL_ENCODERS = ("clip", "siglip", "siglip2")
"""Kinds of models that a generator may stand on. None of them names others in its configuration."""

# The tokenizer's files by name: an adapter's configuration, for one, would have transformers load what it names.
_FILES = (
    "config.json model.safetensors model.safetensors.index.json model-*-of-*.safetensors tokenizer.json vocab.txt "
    "tokenizer_config.json special_tokens_map.json added_tokens.json vocab.json merges.txt sentencepiece.bpe.model "
    "spiece.model preprocessor_config.json"
).split()


def check_id(id: str, kind: str) -> str:
    """Make sure that a visitor's name is an id on the Hub, and no path on this machine.

    Raises:
        ValueError: it is not.
    """
    try:
        validate_repo_id(id)
    except HFValidationError:
        id = ""
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", id) or Path(id).exists():
        raise ValueError(f"Expected {kind} on the Hub, as in namespace/name.")
    return id


def public_info(
    id: str, expected: str, kind: Literal["model", "dataset"] = "model", revision: str | None = None, instead: str = ""
) -> Any:
    """Look up a public repository, without the token that this process may have.

    Args:
        id: on the Hub.
        expected: for messages.
        kind: of the repository.
        revision: branch, tag or commit.
        instead: what needs no network, for messages.

    Returns:
        The answer of `HfApi.repo_info`, with sizes of files.

    Raises:
        ValueError: no id, or a path.
        OSError: no such repository, one that is not public, or the Hub cannot be reached.
    """
    check_id(id, expected)
    try:
        return HfApi(token=False).repo_info(id, repo_type=kind, revision=revision, files_metadata=True, timeout=10)
    except (RepositoryNotFoundError, RevisionNotFoundError) as error:
        at = f" at {revision}" if revision else ""
        raise OSError(f"The Hub has no {kind} {id}{at}, or it is not public.") from error
    except Exception as error:  # one of several kinds, by what the network does
        raise OSError(f"The Hub cannot be reached for {id}{instead and f'; {instead} needs no network'}.") from error


def load_public_generator(id: str) -> Generator:
    """Load a generator that a visitor names, and its encoder: from public repositories, without a token.

    Args:
        id: on the Hub.

    Raises:
        ValueError: a bad id, from the visitor or in the configuration; a repository or model that is too large, without
            safetensors, or of another kind.
        OSError: a repository that is missing or not public, or the Hub cannot be reached.
    """
    info = public_info(id, "a generator: quickstart, or one", instead="the generator quickstart")
    return _load(id, info.sha)


@loaded_once(maxsize=4)
def _load(id: str, commit: str) -> Generator:
    folder = _fetch(id, commit, "a generator")
    config = read_json(folder / "config.json")
    kind = config.get("model_type") if isinstance(config, dict) else None
    if not isinstance(kind, str) or kind not in models():
        raise ValueError(f"Expected a generator of type {', '.join(models())}, {id} is of type {kind!r:.60}.")
    check_numbers(config, id)
    text = kind == "emo3d-expression"
    encoder_config = config.get("encoder_config") if text else None
    if encoder_config is not None:
        _check_kind(encoder_config, TEXT_ENCODERS, id)
    field = "encoder" if text else "backbone"
    base = _base(config.get(field), config.get(f"{field}_revision"), TEXT_ENCODERS if text else DUAL_ENCODERS, id)
    settings: Any = AutoConfig.for_model(**{name: value for name, value in config.items() if name not in _CODE})
    _check_count(lambda: models()[kind](settings), id)
    generator: Any = load_generator(folder)
    if base is not None:
        setattr(generator.config, field, str(base))
        setattr(generator.config, f"{field}_revision", None)
    return generator


_CODE = ("auto_map", "custom_pipelines")
_PROCESSOR, _TOKENIZER = "preprocessor_config.json", "tokenizer_config.json"


def _base(id: Any, revision: Any, kinds: tuple[str, ...], generator: str) -> Path | None:
    """Folder of a generator's encoder, fetched and checked; None where this package carries it."""
    if id is None:
        raise ValueError(f"Expected the name of an encoder in the configuration of {generator}, it has none.")
    if not isinstance(id, str) or not isinstance(revision, str | None):
        raise ValueError(f"Expected the name of an encoder in the configuration of {generator}, got {id!r:.60}.")
    if revision is None and ((id == QUICKSTART and kinds is DUAL_ENCODERS) or (id == MINILM and packaged_minilm())):
        return None
    expected = f"{generator} to stand on an encoder"
    info = public_info(id, expected, revision=revision)
    folder = _fetch(id, info.sha, expected)
    config = read_json(folder / "config.json")
    _check_kind(config, kinds, id)
    processor = read_json(folder / _PROCESSOR) if (folder / _PROCESSOR).is_file() else {}
    check_numbers(processor, id, WIDEST_PICTURE, WIDEST_PICTURE)
    tokenizer = read_model_json(folder / _TOKENIZER) if (folder / _TOKENIZER).is_file() else {}
    for settings in (config, processor, tokenizer):
        if not isinstance(settings, dict) or "auto_map" in settings:
            raise ValueError(f"Expected a model that needs no code of its own, {id} does.")
    _check_count(lambda: AutoModel.from_config(AutoConfig.for_model(**config)), id)
    return folder


def _fetch(id: str, commit: str, expected: str) -> Path:
    """Fetch the files of a commit that loading needs, if they are not too large."""
    info = public_info(id, expected, revision=commit)
    patterns = [re.escape(name).replace(r"\*", r"\w+") for name in _FILES]
    files = {
        file.rfilename: file.size or 0
        for file in info.siblings or []
        if any(re.fullmatch(pattern, file.rfilename) for pattern in patterns)
    }
    if "config.json" not in files or not any(name.endswith(".safetensors") for name in files):
        raise ValueError(f"Expected a model with config.json and safetensors, {id} has no such files.")
    if (size := sum(files.values())) > LARGEST_MODEL:
        raise ValueError(
            f"Expected a model of at most {LARGEST_MODEL / 1e9:.0f} GB here, {id} has {size / 1e9:.1f} GB."
        )
    try:
        return Path(snapshot_download(id, revision=commit, token=False, allow_patterns=list(files)))
    except Exception as error:  # one of several kinds, by what the network does
        raise OSError(f"The Hub broke off, or does not give the files of {id} to everyone.") from error


def _check_kind(config: Any, kinds: tuple[str, ...], id: str) -> None:
    kind = config.get("model_type") if isinstance(config, dict) else None
    if kind not in kinds:
        raise ValueError(f"Expected a model of type {', '.join(kinds)} beneath a generator, {id} has {kind!r:.60}.")
    check_numbers(config, id)


def _check_count(build: Any, id: str) -> None:
    count = sum(math.prod(shape) for shape in plan_weights(build, id).values())
    if count > LARGEST_COUNT:
        raise ValueError(f"Expected at most {LARGEST_COUNT / 1e6:.0f} million parameters, {id} has {count / 1e6:.0f}.")
