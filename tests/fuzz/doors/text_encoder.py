"""Folders of a text encoder: configuration, tokenizer, weights."""

import logging
from pathlib import Path


def seeds(folder: Path) -> list[dict[str, bytes]]:
    from text_encoders import save_bert

    logging.getLogger("transformers").setLevel(logging.CRITICAL)
    (folder / "bert").mkdir()
    save_bert(folder / "bert")
    return [{file.name: file.read_bytes() for file in (folder / "bert").iterdir()}]


def enter(folder: Path) -> None:
    from emo3d.encoders import _load, folder_digest, load_text_encoder
    from emo3d_lab.training.data import encoder_digest

    _load.cache_clear()
    encoder = load_text_encoder(str(folder))
    encoder.encode(["a happy man", "sad " * 30])
    encoder_digest(encoder)
    folder_digest(folder, encoder.model, encoder.tokenizer)
