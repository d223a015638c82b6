"""Folders of generators: configuration and safetensors, in one file or in several by an index."""

from pathlib import Path

import torch


def seeds(folder: Path) -> list[dict[str, bytes]]:
    from emo3d.generation import (
        ClipExpressionConfig,
        ClipExpressionModel,
        ExpressionConfig,
        ExpressionModel,
        VaeClipConfig,
        VaeClipModel,
    )

    bert = {"model_type": "bert", "vocab_size": 9, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    bert |= {"intermediate_size": 8, "max_position_embeddings": 12}
    tuned = ExpressionConfig(freeze_encoder=False, encoder_config=bert, embedding_size=8, hidden_sizes=[4])
    models = {
        "frozen": ExpressionModel(ExpressionConfig(embedding_size=8, hidden_sizes=[4])),
        "tuned": ExpressionModel(tuned),
        "clip": ClipExpressionModel(ClipExpressionConfig(embedding_size=8, hidden_sizes=[4])),
        "vae": VaeClipModel(VaeClipConfig(embedding_size=8, hidden_size=4)),
    }
    written = []
    for name, model in models.items():
        for shard in ("5GB", "1KB") if name == "tuned" else ("5GB",):
            model.save_pretrained(where := folder / f"{name}-{shard}", max_shard_size=shard)
            files = [path for path in where.iterdir() if path.suffix in (".json", ".safetensors")]
            written.append({path.name: path.read_bytes() for path in files})
    return written


def enter(folder: Path) -> None:
    from emo3d.generation.load import _from_folder as load
    from emo3d.generation.load import load_generator

    torch.set_num_threads(1)
    load.cache_clear()
    load_generator(folder)
