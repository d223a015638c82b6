"""What is to be where on the Hub: files of the repository, with the namespace written into them."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from huggingface_hub import DatasetCard, DatasetCardData

import emo3d
from emo3d_lab.building.card import links_inside

Content = bytes | Path
PARTS = ("models", "dataset", "metric", "demo")  # in the order in which they are published

# Files of each artifact. Whatever else lies in a folder stays at home.
CARD = "README.md"
DATASET = (CARD, "build_report.json", "faces.jpg", "data/*/*.parquet")
SCRIPT = "emo3d.py"
DEMO = (CARD, "app.py", "requirements.txt", "emo3d-*.whl")
METRIC = (*DEMO, "emo3d_score.py")
MODEL = (
    *(CARD, "*.jpg", "config.json", "recipe.yaml", "emo3d_*.py", "model*.safetensors", "model.safetensors.index.json"),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "vocab.json", "merges.txt"),
    *("sentencepiece.bpe.model", "spiece.model", "preprocessor_config.json", "processor_config.json"),
)


@dataclass(frozen=True)
class Artifact:
    """What a branch of a repository is to hold.

    Attributes:
        kind: of repository.
        repo: its id.
        files: path in the repository -> content, or the file that has it.
        patterns: of our files; a file on the Hub that matches and is not among `files` goes.
        branch: of the repository.
    """

    kind: Literal["model", "dataset", "space"]
    repo: str
    files: Mapping[str, Content] = field(repr=False)
    patterns: Sequence[str] = field(repr=False)
    branch: str = "main"

    def owns(self, path: str) -> bool:
        """Whether a path in the repository is one of ours."""
        return any(PurePosixPath("/", path).match(f"/{pattern}") for pattern in self.patterns)


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
    """Say what is to be where.

    Args:
        root: the repository.
        endpoint: address of the Hub.
        dataset: a folder that `emo3d build` wrote, for the dataset instead of the sample.
        models: folders of generators with a card, beside the quickstart's; a repository is called like its folder.
        wheel: to go with the Spaces; None where this version is on a package index.

    Raises:
        ValueError: an unknown part.
        FileNotFoundError: something to be published is not there.
    """
    if unknown := set(only) - set(PARTS):
        raise ValueError(f"expected {', '.join(PARTS)}, got {', '.join(sorted(unknown))}")
    artifacts: list[Artifact] = []
    if "models" in only:
        artifacts += [_quickstart(root, name, namespace) for name in ("generator", "backbone")]
        for folder in models:
            files = _read_files(folder, MODEL, namespace, essential=(CARD, "config.json", "model*.safetensors"))
            artifacts.append(Artifact("model", f"{namespace}/{folder.resolve().name}", files, MODEL))
    if "dataset" in only:
        repo, home = f"{namespace}/emo3d", root / "dataset_script"
        files = _read_files(dataset or home, DATASET, namespace, essential=(CARD, "data/*/*.parquet"))
        if dataset is None:
            files[CARD] = _sample_card(_text(files[CARD]))
        script = _read_files(home, [SCRIPT], namespace, essential=[SCRIPT])
        artifacts.append(Artifact("dataset", repo, files, DATASET))
        artifacts.append(Artifact("dataset", repo, script, (*DATASET, SCRIPT), "script"))
    for part, name, patterns in (("metric", "emo3d_score", METRIC), ("demo", "emo3d-demo", DEMO)):
        if part in only:
            files = _read_files(root / f"{part}_space", patterns, namespace, essential=patterns[:3])
            address = f"{endpoint}/spaces/{namespace}/{name}/resolve/main"
            files["requirements.txt"] = _requirements(_text(files["requirements.txt"]), address, wheel)
            # The Gradio of this environment is the one that was tested.
            card = re.sub(r"(?m)^sdk_version: .*$", f"sdk_version: {version('gradio')}", _text(files[CARD]))
            files |= {CARD: card.encode()} | ({wheel.name: wheel} if wheel else {})
            artifacts.append(Artifact("space", f"{namespace}/{name}", files, patterns))
    return artifacts


def _read_files(folder: Path, patterns: Sequence[str], namespace: str, essential: Sequence[str]) -> dict[str, Content]:
    """A folder's files; the card and the script with the namespace instead of its placeholder."""
    for pattern in essential:
        if not any(folder.glob(pattern)):
            raise FileNotFoundError(f"expected {pattern} in {folder}, found none")
    paths = sorted(path for pattern in patterns for path in folder.glob(pattern) if path.name[0] != ".")
    files: dict[str, Content] = {path.relative_to(folder).as_posix(): path for path in paths}
    return files | {name: _with_namespace(folder / name, namespace) for name in files.keys() & {CARD, SCRIPT}}


def _with_namespace(path: Path, namespace: str) -> bytes:
    return links_inside(path.read_text(encoding="utf-8").replace("NAMESPACE", namespace)).encode()


def _text(content: Content) -> str:
    return (content if isinstance(content, bytes) else content.read_bytes()).decode()


def _quickstart(root: Path, name: str, namespace: str) -> Artifact:
    """A packaged model with its card; a generator with the code that loads it where this package is not installed."""
    cards, repo = root / "model_cards", f"{namespace}/emo3d-quickstart-{name}"
    folder = root / "src" / "emo3d" / "assets" / f"quickstart-{name}"
    files = _read_files(folder, MODEL, namespace, essential=["model.safetensors"])
    files |= {path.name: path for path in cards.glob(f"{folder.name}.jpg")}
    files[CARD] = _with_namespace(cards / f"{folder.name}.md", namespace)
    if name == "generator":
        from emo3d.generation import ExpressionConfig  # here, as it takes seconds

        card = _text(files[CARD]).replace('load_generator("quickstart")', f'load_generator("{repo}")')
        with tempfile.TemporaryDirectory() as code:
            ExpressionConfig.from_pretrained(folder).save_pretrained(code)
            files |= {path.name: path.read_bytes() for path in Path(code).iterdir()}
        config = json.loads(_text(files["config.json"]))
        links = {key: config[key] for key in ("auto_map", "custom_pipelines")}
        config = json.loads((folder / "config.json").read_text()) | links
        files |= {CARD: card.encode(), "config.json": f"{json.dumps(config, indent=2)}\n".encode()}
    return Artifact("model", repo, files, MODEL)


def _sample_card(text: str) -> bytes:
    """The dataset's card where only the synthetic sample is published: no configs that are not there."""
    card = DatasetCard(text)
    header: dict[str, Any] = card.data.to_dict() | {"size_categories": ["n<1K"]}
    for key in ("configs", "dataset_info"):
        header[key] = [entry for entry in header[key] if entry["config_name"] == "sample"]
    notice = "This copy holds the config `sample` only: 500 synthetic rows. For the others, [build it](#building).\n\n"
    body = re.sub(r"A copy that was not built yet.*?\n\n", notice, card.text, count=1, flags=re.DOTALL)
    body = body.replace('emo3d", split="train")', 'emo3d", "sample", split="train")')
    body = body.replace('train[0]["descriptions"]', 'train[0]["description"]')
    return f"---\n{DatasetCardData(**header).to_yaml()}\n---\n{body}".encode()


def _requirements(text: str, address: str, wheel: Path | None) -> bytes:
    """Requirements of a Space with this very version of the package.

    A Space reads its requirements before its other files are there, so a wheel is named by its address, not its path.
    """
    source = f"=={emo3d.__version__}"
    if wheel is not None:
        source = f" @ {address}/{wheel.name}#sha256={sha256(wheel.read_bytes()).hexdigest()}"
    return re.sub(r"(?m)^(emo3d\[.*\])$", lambda match: match[1] + source, text).encode()
