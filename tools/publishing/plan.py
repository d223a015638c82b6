"""What is to be where on the Hub: files of the repository, with the namespace written into them."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import emo3d
from emo3d_lab.building.card import links_inside

PARTS = ("models", "dataset", "metric", "demo")
"""What can be published, in the order in which it is."""

CARD = "README.md"
DATASET = (CARD, "build_report.json", "faces.jpg", "data/*/*.parquet")
SCRIPT = ("emo3d.py",)
SPACE = (CARD, "app.py", "requirements.txt", "emo3d-*.whl")
METRIC = (*SPACE, "emo3d_score.py")
MODEL = (
    *(CARD, "*.jpg", "config.json", "recipe.yaml", "emo3d_*.py", "model*.safetensors", "model.safetensors.index.json"),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "vocab.json", "merges.txt"),
    *("sentencepiece.bpe.model", "spiece.model", "preprocessor_config.json", "processor_config.json"),
)


@dataclass(frozen=True)
class Artifact:
    """What a branch of a repository is to hold.

    Attributes:
        part: of `PARTS`.
        kind: of repository.
        repo: its id.
        files: path in the repository -> content, or the file that has it.
        owned: patterns of our files; what is there, matches and is not among `files` goes.
        branch: which one.
    """

    part: str
    kind: Literal["model", "dataset", "space"]
    repo: str
    files: Mapping[str, bytes | Path] = field(repr=False)
    owned: Sequence[str] = field(repr=False)
    branch: str = "main"

    def owns(self, path: str) -> bool:
        """Whether a path in the repository is one of ours."""
        return any(PurePosixPath("/", path).match(f"/{pattern}") for pattern in self.owned)


def plan(
    root: Path,
    namespace: str,
    *,
    endpoint: str,
    only: Sequence[str] = PARTS,
    dataset: Path | None = None,
    models: Sequence[Path] = (),
    wheel: Path | None = None,
) -> list[Artifact]:
    """Say what is to be where. Nothing but files that a pattern above names is taken from a folder.

    Args:
        root: the repository.
        namespace: a user or an organisation.
        endpoint: address of the Hub.
        only: of `PARTS`.
        dataset: a folder that `emo3d build` wrote, for the dataset instead of the sample.
        models: folders of generators with a card, beside the quickstart's; a repository is called like its folder.
        wheel: of this package, to go with the Spaces; None where it is on a package index.

    Raises:
        ValueError: an unknown part.
        FileNotFoundError: something to be published is not there.
    """
    if unknown := set(only) - set(PARTS):
        raise ValueError(f"expected {', '.join(PARTS)}, got {', '.join(sorted(unknown))}")
    planned: list[Artifact] = []
    if "models" in only:
        planned += [_generator(root, namespace), _backbone(root, namespace)]
        planned += [_model(folder, namespace) for folder in models]
    if "dataset" in only:
        files = _files(dataset or root / "dataset_script", DATASET, namespace, needed=(CARD, "data/*/*.parquet"))
        if dataset is None:
            files[CARD] = _sample_card(_text(files[CARD])).encode()
        planned.append(Artifact("dataset", "dataset", f"{namespace}/emo3d", files, DATASET))
        script = _files(root / "dataset_script", SCRIPT, namespace, needed=SCRIPT)
        planned.append(Artifact("dataset", "dataset", f"{namespace}/emo3d", script, (*DATASET, *SCRIPT), "script"))
    for part, name, owned in (("metric", "emo3d_score", METRIC), ("demo", "emo3d-demo", SPACE)):
        if part in only:
            repo = f"{namespace}/{name}"
            files = _files(root / f"{part}_space", owned, namespace, needed=owned[:3])
            address = f"{endpoint}/spaces/{repo}/resolve/main"
            files["requirements.txt"] = _requirements(_text(files["requirements.txt"]), address, wheel).encode()
            files[CARD] = _with_tested_gradio(_text(files[CARD])).encode()
            if wheel is not None:
                files[wheel.name] = wheel
            planned.append(Artifact(part, "space", repo, files, owned))
    return planned


def _files(folder: Path, patterns: Sequence[str], namespace: str, needed: Sequence[str]) -> dict[str, bytes | Path]:
    """A folder's files; cards and the script with the namespace instead of its placeholder."""
    for pattern in needed:
        if not any(folder.glob(pattern)):
            raise FileNotFoundError(f"expected {pattern} in {folder}, found none")
    found: dict[str, bytes | Path] = {}
    for path in sorted(path for pattern in patterns for path in folder.glob(pattern) if path.name[0] != "."):
        name = path.relative_to(folder).as_posix()
        found[name] = _named(path, namespace) if name in (CARD, *SCRIPT) else path
    return found


def _named(path: Path, namespace: str) -> bytes:
    return links_inside(path.read_text(encoding="utf-8").replace("NAMESPACE", namespace)).encode()


def _text(content: bytes | Path) -> str:
    return content.decode() if isinstance(content, bytes) else content.read_text(encoding="utf-8")


def _generator(root: Path, namespace: str) -> Artifact:
    """The packaged generator, with the code that loads it where this package is not installed."""
    from emo3d.generation import ExpressionConfig

    name = "quickstart-generator"
    repo, packaged = f"{namespace}/emo3d-{name}", root / "src" / "emo3d" / "assets" / name
    files = _card(root, name, namespace)
    files[CARD] = _text(files[CARD]).replace('load_generator("quickstart")', f'load_generator("{repo}")').encode()
    with tempfile.TemporaryDirectory() as folder:
        ExpressionConfig.from_pretrained(packaged).save_pretrained(folder)
        written = {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}
    saved, config = json.loads(written["config.json"]), json.loads((packaged / "config.json").read_text())
    config |= {key: saved[key] for key in ("auto_map", "custom_pipelines")}
    files |= {**written, "config.json": f"{json.dumps(config, indent=2)}\n".encode()}
    return Artifact("models", "model", repo, files | {"model.safetensors": packaged / "model.safetensors"}, MODEL)


def _backbone(root: Path, namespace: str) -> Artifact:
    name = "quickstart-backbone"
    weights = _files(root / "src" / "emo3d" / "assets" / name, MODEL, namespace, needed=("model.safetensors",))
    return Artifact("models", "model", f"{namespace}/emo3d-{name}", _card(root, name, namespace) | weights, MODEL)


def _card(root: Path, name: str, namespace: str) -> dict[str, bytes | Path]:
    """A card of the folder of cards, and its picture."""
    pictures: dict[str, bytes | Path] = {path.name: path for path in (root / "model_cards").glob(f"{name}.jpg")}
    return {CARD: _named(root / "model_cards" / f"{name}.md", namespace)} | pictures


def _model(folder: Path, namespace: str) -> Artifact:
    files = _files(folder, MODEL, namespace, needed=(CARD, "config.json", "model*.safetensors"))
    return Artifact("models", "model", f"{namespace}/{folder.resolve().name}", files, MODEL)


def _sample_card(text: str) -> str:
    """The dataset's card where only the synthetic sample is published: no configs that are not there."""
    from huggingface_hub import DatasetCard, DatasetCardData

    card = DatasetCard(text)
    header: dict[str, Any] = card.data.to_dict()
    for key in ("configs", "dataset_info"):
        header[key] = [entry for entry in header[key] if entry["config_name"] == "sample"]
    only = "This copy holds the config `sample` only: 500 synthetic rows. For the others, [build it](#building).\n\n"
    body = re.sub(r"A copy that was not built yet.*?\n\n", only, card.text, count=1, flags=re.DOTALL)
    body = body.replace('emo3d", split="train")', 'emo3d", "sample", split="train")')
    body = body.replace('train[0]["descriptions"]', 'train[0]["description"]')
    return f"---\n{DatasetCardData(**{**header, 'size_categories': ['n<1K']}).to_yaml()}\n---\n{body}"


def _requirements(text: str, address: str, wheel: Path | None) -> str:
    """Requirements of a Space with this very version of the package.

    A Space reads its requirements before its other files are there, so a wheel is named by its address, not its path.
    """
    pinned = f"=={emo3d.__version__}"
    if wheel is not None:
        pinned = f" @ {address}/{wheel.name}#sha256={sha256(wheel.read_bytes()).hexdigest()}"
    return re.sub(r"^(emo3d\[.*\])$", lambda match: match[1] + pinned, text, flags=re.MULTILINE)


def _with_tested_gradio(card: str) -> str:
    """A Space's card that asks for the Gradio of this environment, which is the one that was tested."""
    try:
        return re.sub(r"^sdk_version: .*$", f"sdk_version: {version('gradio')}", card, flags=re.MULTILINE)
    except PackageNotFoundError:
        return card
