"""A generator of the Hub that a visitor names, and the encoder that it names; only the network is left out."""

import logging
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch


def seeds(folder: Path) -> list[dict[str, bytes]]:
    from dual_encoders import save_clip
    from emo3d.generation import ClipExpressionConfig, ClipExpressionModel, ExpressionModel
    from text_encoders import save_bert

    logging.getLogger("transformers").setLevel(logging.CRITICAL)
    files = []
    for name, save in {"bert": save_bert, "clip": save_clip}.items():
        base = folder / "me" / name
        base.mkdir(parents=True)
        save(base)
        if name == "bert":
            model = ExpressionModel.from_encoder(str(base), hidden_sizes=[4])
            model.config.encoder = f"me/{name}"
        else:
            model = ClipExpressionModel(ClipExpressionConfig(backbone=f"me/{name}", embedding_size=8, hidden_sizes=[4]))
        model.save_pretrained(folder / "me" / "head")
        files.append(
            {
                f"me/{part}/{file.name}": file.read_bytes()
                for part in (name, "head")
                for file in (folder / "me" / part).iterdir()
            }
        )
    return files


def enter(folder: Path) -> None:
    from emo3d_lab import visitors

    def fetched(id: str, commit: str, expected: str) -> Path:
        if not (folder / id / "config.json").exists():
            raise ValueError(f"{expected} with config.json")
        return folder / id

    def info(id: str, *args, **options):
        visitors.check_id(id, "an encoder")
        return SimpleNamespace(sha="0" * 40)

    visitors._load.cache_clear()
    with patch.multiple(visitors, _fetch=fetched, public_info=info):
        visitors.load_public_generator("me/head").generate(["a happy man", "sad " * 30])
