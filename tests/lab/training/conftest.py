"""A tiny BERT and XLM-RoBERTa at random weights and a dataset of a few rows, on disk as a user would have them."""

import io

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image
from pyarrow import parquet
from training_runs import TEXTS
from transformers import BertConfig, BertModel, BertTokenizer, XLMRobertaConfig, XLMRobertaModel, XLMRobertaTokenizer

from emo3d_lab.building.schema import parquet_schema

WORDS = "[PAD] [UNK] [CLS] [SEP] [MASK] a very sad angry happy calm man woman winks the left right eye".split()


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny-bert")
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=12,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    torch.manual_seed(0)
    BertModel(config).save_pretrained(folder)
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="session")
def tiny_xlm_roberta(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiny-xlm-roberta")
    pieces = ["<s>", "<pad>", "</s>", "<unk>", *(f"\u2581{word}" for word in WORDS[5:]), "<mask>"]
    XLMRobertaTokenizer(vocab=[(piece, -float(rank)) for rank, piece in enumerate(pieces)]).save_pretrained(folder)
    config = XLMRobertaConfig(
        vocab_size=len(pieces),
        pad_token_id=1,
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=14,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    torch.manual_seed(0)
    XLMRobertaModel(config).save_pretrained(folder)
    return str(folder)


@pytest.fixture(autouse=True)
def one_thread():
    """Models this small only wait for a second thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def write_rows(folder, texts=TEXTS, space="weights", **columns):
    """Both splits with the same rows, so that what is learned shows in the validation."""
    random = np.random.default_rng(0)
    table = {
        "description": texts,
        "intensities": np.eye(8)[np.arange(len(texts)) % 8].tolist(),
        "blendshapes": random.uniform(0, 1, (len(texts), 51)).round(3).tolist(),
    } | columns
    table = pa.table({name: column for name, column in table.items() if column is not None})
    table = table.replace_schema_metadata({"space": space} if space else None)
    folder.mkdir(parents=True, exist_ok=True)
    for split in ("train", "validation"):
        parquet.write_table(table, folder / f"{split}.parquet")
    return str(folder)


@pytest.fixture
def make_rows(tmp_path):
    return lambda **columns: write_rows(tmp_path / "rows", **columns)


@pytest.fixture(scope="session")
def rows(tmp_path_factory):
    return write_rows(tmp_path_factory.mktemp("rows") / "rows")


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """Rows as those of the config "default" of a built release: pictures, several descriptions, some without a face."""
    folder = tmp_path_factory.mktemp("built")
    random = np.random.default_rng(0)
    scores = random.uniform(0, 1, (8, 51)).round(3).tolist()
    rows = {
        "sample_id": [*range(8)],
        "variant": [1] * 8,
        "prompt_type": ["prompt1"] * 8,
        "descriptions": [[TEXTS[0], "very sad"], *([text] for text in TEXTS[1:])],
        "intensities": np.eye(8).tolist(),
        "image": [{"bytes": png(random, 36 + row), "path": f"{row}.png"} for row in range(8)],
        "blendshapes": [scores[0], None, *scores[2:]],
    }
    table = pa.table(rows, schema=parquet_schema("default", {"space": "reading"}))
    for split in ("train", "validation"):
        parquet.write_table(table, folder / f"{split}.parquet")
    return str(folder)


def png(random, width):
    buffer = io.BytesIO()
    Image.fromarray(random.integers(0, 256, (40, width, 3), np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def settings(tiny_bert):
    """Overrides that turn the recipe `bert` into a run of seconds."""
    return f"""model.encoder={tiny_bert} model.dropout=0 data.mirror=false score=null
        training.per_device_train_batch_size=4 training.learning_rate=3e-3 training.weight_decay=0
        training.num_train_epochs=2 training.early_stopping_patience=null
        training.use_cpu=true training.disable_tqdm=true""".split()
