"""Folders of a saved bank, with and without an index of FAISS."""

from pathlib import Path

import numpy as np
import torch


def _bank():
    from emo3d.scoring import Bank
    from emo3d.scoring.bank import embeddings_digest

    embeddings = torch.nn.functional.normalize(torch.from_numpy(np.random.default_rng(0).normal(size=(6, 4))).float())
    texts = ("a", "b", "c", "d", "é", "f", "a")
    intensities = np.linspace(0.1, 1, 56).reshape(7, 8)
    return Bank(texts, intensities, embeddings, 1, "fake@1", None, embeddings_digest(embeddings))


def seeds(folder: Path) -> list[dict[str, bytes]]:
    banks = [_bank()]
    try:
        import faiss  # noqa: F401
    except ImportError:
        pass
    else:
        banks += [banks[0].indexed(factory) for factory in ("Flat", "IVF2,Flat/nprobe2", "HNSW2")]
    files = []
    for place, bank in enumerate(banks):
        bank.save(folder / str(place))
        files.append({file.name: file.read_bytes() for file in (folder / str(place)).iterdir()})
    return files


def enter(folder: Path) -> None:
    from emo3d.scoring import Bank

    bank = Bank.load(folder)
    bank.nearest(torch.eye(bank.embeddings.shape[1])[:2], min(3, len(bank)))
    assert bank.hash
