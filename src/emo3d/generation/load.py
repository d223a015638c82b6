"""Generators by name: the packaged one, a folder, or a model on the Hub; and the task that finds them so."""

from __future__ import annotations

import functools
import inspect
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import transformers
from packaging.version import Version
from transformers import AutoConfig, AutoModel
from transformers.pipelines import PIPELINE_REGISTRY

from emo3d.documents import read_json
from emo3d.encoders import no_bars
from emo3d.generation.checks import check_numbers, check_weights, plan_weights
from emo3d.generation.model import ExpressionModel
from emo3d.generation.pipeline import TASK, ExpressionPipeline
from emo3d.hints import unwritable_cache
from emo3d.loading import FROM_PRETRAINED, loaded_once, workshop_part

if TYPE_CHECKING:
    from emo3d_lab.generators import ClipExpressionModel, VaeClipModel

    Generator: TypeAlias = ExpressionModel | ClipExpressionModel | VaeClipModel

QUICKSTART = "quickstart"
QUICKSTART_FOLDER = Path(__file__).parent.parent / "assets" / "quickstart-generator"
PACKAGED = {
    QUICKSTART: QUICKSTART_FOLDER,
    f"{QUICKSTART}-multilingual": QUICKSTART_FOLDER.parent / "quickstart-multilingual-generator",
}

# In the dtype of the checkpoint: transformers 5 does so by itself, and 4 renamed the option on its way there.
_AS_SAVED = {"dtype" if Version(transformers.__version__) >= Version("4.56") else "torch_dtype": "auto"}


class GeneratorUnavailableError(OSError):
    """A generator that is neither in the local cache nor comes from the Hub now."""


@functools.cache
def models() -> dict[str, Any]:
    """`model_type` of a configuration -> the class of its model; that of the workshop are registered by this."""
    known: dict[str, Any] = {ExpressionModel.config_class.model_type: ExpressionModel}
    with suppress(OSError):  # not installed here
        known |= workshop_part("generators").MODELS
    return known


def load_generator(id: str | Path = QUICKSTART, revision: str | None = None) -> Generator:
    """Load a generator of any kind, once per id and revision, ready for `generate`.

    Args:
        id: `"quickstart"` or `"quickstart-multilingual"` (packaged), a folder written by `save_pretrained`, or a model
            on the Hub.
        revision: branch, tag or commit on the Hub.

    Raises:
        GeneratorUnavailableError: the Hub cannot be reached or has no such model. An OSError.
        ValueError: a revision of what is on disk, a model that is no generator, or a checkpoint that lacks weights.
    """
    local = Path(_source(id))
    if not local.is_dir():
        return _from_hub(str(id), revision)
    if revision is not None:
        raise ValueError(f"{id} is read from disk and has no revisions, got {revision!r}")
    if not (local / "config.json").is_file():
        raise GeneratorUnavailableError(f"expected the folder of a generator, {local} has no config.json")
    return _from_folder(local, (local / "config.json").stat().st_mtime_ns)


@loaded_once(maxsize=4)
def _from_folder(folder: Path, _time: int) -> Generator:
    with no_bars():
        return _load(str(folder), None)


@loaded_once(maxsize=4)
def _from_hub(id: str, revision: str | None) -> Generator:
    try:
        return _load(id, revision or "main")
    except OSError as error:
        at = f" at revision {revision}" if revision else ""
        raise GeneratorUnavailableError(
            unwritable_cache(error)
            or f"the generator {id}{at} could not be loaded: there is no such folder, and it is not in the local cache "
            f'and the Hub cannot be reached or has no such model. load_generator("{QUICKSTART}") needs no network'
        ) from error


def _load(source: str, revision: str | None) -> Generator:
    folder = Path(source)
    if folder.is_dir():
        config = _check_folder(folder)
    else:
        config = AutoConfig.from_pretrained(source, revision=revision)
        _check_kind(config.model_type, source)
    model_class: Any = models()[config.model_type]
    try:
        with FROM_PRETRAINED:
            model, loading = model_class.from_pretrained(
                source, revision=revision, config=config, output_loading_info=True, **_AS_SAVED
            )
    except OSError:
        raise
    except Exception as error:  # transformers and safetensors have many kinds for files that do not fit
        raise ValueError(f"the generator {source} cannot be loaded: {str(error)[:300]}") from error
    if loading["missing_keys"]:  # they would be random, and transformers only warns
        raise ValueError(f"the checkpoint of {source} lacks {', '.join(sorted(loading['missing_keys']))}")
    return model.eval()


def _check_folder(folder: Path) -> Any:
    """The configuration in a folder, once its weights are known to be those that it asks for."""
    fields = read_json(folder / "config.json")
    _check_kind(fields.get("model_type") if isinstance(fields, dict) else None, str(folder))
    check_numbers(fields, str(folder))
    try:
        config = AutoConfig.from_pretrained(folder)
    except Exception as error:  # a field of another type, or one that a configuration refuses
        raise ValueError(f"{folder / 'config.json'} is no configuration: {str(error)[:300]}") from error
    model_class: Any = models()[config.model_type]
    check_weights(folder, plan_weights(lambda: model_class(config), str(folder)))
    return config


def _check_kind(kind: Any, source: str) -> None:
    if not isinstance(kind, str) or kind not in models():
        raise ValueError(f"expected a generator of type {', '.join(models())}; {source} is a {kind!s:.60} model")


class NamedGenerator(AutoModel):
    """`AutoModel`, which also knows the packaged generators by their names."""

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        """See `AutoModel.from_pretrained`."""
        return AutoModel.from_pretrained(_source(pretrained_model_name_or_path), *args, **kwargs)


def register_task() -> None:
    """Register the task `text-to-expression`, with the packaged generator as its default model."""
    default: Any = (str(QUICKSTART_FOLDER), None)
    if "tf_model" in inspect.signature(PIPELINE_REGISTRY.register_pipeline).parameters:  # transformers 4
        default = {"pt": default}
    PIPELINE_REGISTRY.register_pipeline(TASK, ExpressionPipeline, pt_model=NamedGenerator, default={"model": default})
    # `pipeline(TASK, model="quickstart")` asks for the configuration before it looks at the task: no other place is
    # left to tell it where that model lies, or to register what comes late. No model on the Hub is called so.
    load_config = AutoConfig.from_pretrained

    @functools.wraps(load_config)
    def from_pretrained(pretrained_model_name_or_path: Any, **kwargs: Any) -> Any:
        models()
        return load_config(_source(pretrained_model_name_or_path), **kwargs)

    AutoConfig.from_pretrained = staticmethod(from_pretrained)  # type: ignore[method-assign]


def _source(name: Any) -> Any:
    return str(PACKAGED[name]) if name in PACKAGED else name
