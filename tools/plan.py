"""What is to be where on the Hub: files of the repository, with the namespace written into them."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path, PurePosixPath

from huggingface_hub import DatasetCard
from huggingface_hub.constants import ENDPOINT

import emo3d
from emo3d_lab.entries import BENCHMARK_FILE, ENTRY_FILE
from emo3d_lab.markup import links_inside

PARTS = ("models", "dataset", "metric", "demo", "web")  # in the order in which they are published

# Files of each artifact. Whatever else lies in a folder stays at home.
CARD, SCRIPT = "README.md", "emo3d.py"
PACKAGED = ("generator", "multilingual-generator", "backbone")  # the packaged models
DATASET = (CARD, BENCHMARK_FILE, "data/*/*.parquet", "build_report.json", "faces.jpg", "clips.jpg")
DEMO = (CARD, "app.py", "requirements.txt", "emo3d-*.whl")
METRIC = (*DEMO, "emo3d_score.py")
MODEL = (
    *(CARD, "*.jpg", "config.json", "recipe.yaml", "emo3d_*.py", "model*.safetensors", "model.safetensors.index.json"),
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt", "vocab.json", "merges.txt"),
    *(ENTRY_FILE, "sentencepiece.bpe.model", "spiece.model", "preprocessor_config.json", "processor_config.json"),
)
WEB = (CARD, "index.html", "*.css", "*.js", "*.svg", "*.webmanifest", "runtime-*.bin", "model/*")
ESSENTIAL = {CARD, SCRIPT, "data/*/*.parquet", "app.py", "requirements.txt", "config.json", "model*.safetensors"}
ESSENTIAL |= {"index.html", "runtime-*.bin", "model/*"}


@dataclass(frozen=True)
class Artifact:
    """What a branch of a repository is to hold."""

    kind: str  # model, dataset or space
    repo: str
    tag: str
    folder: Path  # with its files and no others
    patterns: Sequence[str]  # of our files; a file on the Hub that matches and is not in the folder goes
    branch: str = "main"
    sdk: str = "gradio"  # of a Space

    def owns(self, path: str) -> bool:
        """Whether a path in the repository is one of ours."""
        return any(PurePosixPath("/", path).match(f"/{pattern}") for pattern in self.patterns)


def plan(
    tree: Path, namespace: str, tag: str, parts: Sequence[str], dataset: Path | None, models: Sequence[Path]
) -> Iterator[Artifact]:
    """Say what is to be where; a ValueError where a part is unknown, a FileNotFoundError where something is not there.

    Args:
        tree: a copy of the repository, to work in. A wheel in its `dist` goes with the Spaces of Gradio; the static
            Space is what was built in `web_space/dist`.
        dataset: a folder that `emo3d build` wrote, for the dataset instead of the sample.
        models: folders of generators with a card, beside the quickstart's; a repository is called like its folder.
    """
    if unknown := set(parts) - set(PARTS):
        raise ValueError(f"expected {', '.join(PARTS)}, got {', '.join(sorted(unknown))}")
    if "models" in parts:
        for folder in (*(_quickstart(tree, part) for part in PACKAGED), *models):
            repo = f"{namespace}/{folder.resolve().name}"
            yield Artifact("model", repo, tag, _gather(tree, folder, MODEL, namespace), MODEL)
    if "dataset" in parts:
        repo, home = f"{namespace}/emo3d", tree / "dataset_script"
        _keep_sample(home / CARD)
        yield Artifact("dataset", repo, tag, _gather(tree, dataset or home, DATASET, namespace), DATASET)
        script = _gather(tree, home, [SCRIPT], namespace)
        yield Artifact("dataset", repo, f"{tag}-script", script, (*DATASET, SCRIPT), "script")
    for part, name, patterns in (("metric", "emo3d_score", METRIC), ("demo", "emo3d-demo", DEMO)):
        if part in parts:
            repo, home, source = f"{namespace}/{name}", tree / f"{part}_space", f"=={emo3d.__version__}"
            for wheel in tree.glob("dist/*.whl"):  # by its address: requirements are read before other files are there
                digest = sha256(wheel.read_bytes()).hexdigest()
                source = f" @ {ENDPOINT}/spaces/{repo}/resolve/main/{wheel.name}#sha256={digest}"
                shutil.copy(wheel, home)
            _replace(home / "requirements.txt", r"(?m)^(emo3d\[.*\])$", rf"\1{source}")
            # The Gradio of this environment is the one that was tested.
            _replace(home / CARD, r"(?m)^sdk_version: .*$", f"sdk_version: {version('gradio')}")
            yield Artifact("space", repo, tag, _gather(tree, home, patterns, namespace), patterns)
    if "web" in parts:
        page = _gather(tree, tree / "web_space" / "dist", WEB, namespace)
        yield Artifact("space", f"{namespace}/emo3d-web", tag, page, WEB, sdk="static")


def _gather(tree: Path, folder: Path, patterns: Sequence[str], namespace: str) -> Path:
    """A new folder with a folder's files; the card and the script with the namespace instead of its placeholder."""
    gathered = Path(tempfile.mkdtemp(dir=tree))
    for pattern in patterns:
        paths = [path for path in folder.glob(pattern) if path.name[0] != "."]
        if pattern in ESSENTIAL and not paths:
            raise FileNotFoundError(f"expected {pattern} in {folder}, found none")
        for path in paths:
            copy = gathered / path.relative_to(folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if path.name in (CARD, SCRIPT) or pattern == ENTRY_FILE:
                copy.write_text(links_inside(path.read_text("utf-8").replace("NAMESPACE", namespace)), "utf-8")
            else:
                copy.symlink_to(path.resolve())
    return gathered


def _replace(path: Path, pattern: str, replacement: str) -> None:
    path.write_text(re.sub(pattern, replacement, path.read_text("utf-8")), "utf-8")


def _quickstart(tree: Path, name: str) -> Path:
    """A packaged model with its card; a generator with the code that loads it where this package is not installed."""
    folder = (tree / "src" / "emo3d" / "assets" / f"quickstart-{name}").rename(tree / f"emo3d-quickstart-{name}")
    for path in tree.glob(f"model_cards/quickstart-{name}.*"):
        name_there = {".md": CARD, ".yaml": ENTRY_FILE}.get(path.suffix, path.name)
        (folder / name_there).parent.mkdir(exist_ok=True)
        path.rename(folder / name_there)
    if name.endswith("generator"):
        from emo3d.generation import ExpressionConfig  # here, as it takes seconds

        own = f"quickstart-{name}".removesuffix("-generator")
        _replace(folder / CARD, rf'load_generator\("{own}"\)', f'load_generator("NAMESPACE/{folder.name}")')
        config = folder / "config.json"
        content = json.loads(config.read_text())
        ExpressionConfig.from_pretrained(folder).save_pretrained(folder)
        # What is packaged, whatever versions are installed here, and the names of the code.
        config.write_text(json.dumps(json.loads(config.read_text()) | content, indent=2))
    return folder


def _keep_sample(path: Path) -> None:
    """Have the dataset's card speak of the synthetic sample and the checklist only: no configs that are not there."""
    card, kept = DatasetCard.load(path), ("sample", "clips", "checklist")
    card.data.size_categories = ["1K<n<10K"]
    for key in ("configs", "dataset_info"):
        setattr(card.data, key, [entry for entry in card.data.get(key) if entry["config_name"] in kept])
    card.save(path)
    notice = "This copy holds the configs `sample`, 500 synthetic rows, and `checklist` only. For the others, "
    notice += "[build it](#building).\n\n"
    _replace(path, r"(?s)A copy that was not built yet.*?\n\n", notice)
    _replace(path, 'emo3d", split="train"', 'emo3d", "sample", split="train"')
    _replace(path, r'train\[0\]\["descriptions"\]', 'train[0]["description"]')
