"""The search: exact, in a stated order, and the same in one chunk or many."""

import hashlib
import json
import struct

import numpy as np
import pytest
import torch
from fakes import FakeBackbone
from oracle import nearest
from pyarrow import parquet
from safetensors.torch import load_file, save_file

from emo3d.scoring import Bank
from emo3d.scoring import bank as bank_module

SIGNS = 0.5 * (1 - 2 * ((np.arange(16)[:, None] >> np.arange(4)) & 1))  # 16 unit vectors whose products are exact


def bank_of(texts, embeddings, intensities=None):
    intensities = np.ones((len(texts), 8)) if intensities is None else intensities
    return Bank(tuple(texts), intensities, torch.as_tensor(np.asarray(embeddings), dtype=torch.float32))


@pytest.mark.parametrize("k", [1, 3, 10, 24])
@pytest.mark.parametrize("chunk", [1, 50, 2**20])
def test_ties_and_repeated_texts_keep_the_order_of_the_bank(k, chunk, monkeypatch):
    # With 16 sign vectors, most similarities are shared by several texts; 24 rows repeat 16 texts in a shuffled order.
    monkeypatch.setattr(bank_module, "_SIMILARITIES_AT_ONCE", chunk)
    order = np.random.default_rng(0).permutation([*range(16), *range(8)])
    texts = [f"text {index}" for index in order]
    distinct = [SIGNS[index] for index in dict.fromkeys(order)]
    found = bank_of(texts, distinct).nearest(torch.tensor(SIGNS, dtype=torch.float32), k)
    assert found.tolist() == [nearest(picture, SIGNS[order], k) for picture in SIGNS]


def test_agrees_with_the_oracle_on_random_embeddings():
    rng = np.random.default_rng(1)
    texts, pictures = rng.normal(size=(200, 32)), rng.normal(size=(50, 32))
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    found = bank_of(list(map(str, range(200))), texts).nearest(torch.tensor(pictures, dtype=torch.float32), 10)
    assert found.tolist() == [nearest(picture, texts, 10) for picture in pictures]


def test_matches_by_words():
    bank = bank_of(["a", "b", "a", "c"], np.eye(3))
    rows = np.array([[0, 2], [0, 3], [1, 2]])
    assert bank.matches(["a", "c", "c"], rows).tolist() == [True, True, False]
    assert bank.matches(["a", "elsewhere", "c"], rows) is None


def test_each_distinct_text_is_encoded_once():
    bank = Bank.encode(["long 1", "x 0", "long 1"], np.eye(8)[:3], FakeBackbone(np.eye(2), np.eye(2)))
    assert bank.embeddings.tolist() == [[0, 1], [1, 0]]
    assert (bank.truncated, bank.backbone) == (1, "fake@1")


def test_hash_follows_the_content():
    banks = [bank_of(["a", "b"], np.eye(2), rows) for rows in (np.eye(8)[:2], np.eye(8)[1:3])]
    banks += [bank_of(["a", "c"], np.eye(2), np.eye(8)[:2]), bank_of(["b", "a"], np.eye(2), np.eye(8)[:2])]
    assert len({bank.hash for bank in banks}) == 4
    assert banks[0].hash == bank_of(["a", "b"], np.eye(2), np.eye(8)[:2]).hash


def test_hash_by_hand():
    # SHA-256 of the descriptions as JSON, then the intensities as little-endian doubles, row by row.
    content = json.dumps(["a", "b"]).encode() + struct.pack("<16d", 0, 0.9, 0, 0, 0, 0, 0, 0, *[0.5] * 8)
    bank = bank_of(["a", "b"], np.eye(2), np.array([[0, 0.9] + [0] * 6, [0.5] * 8]))
    assert bank.hash == hashlib.sha256(content).hexdigest()[:12]


def some_bank():
    texts = ["long 1", "x 0", "long 1", "é 2"]
    return Bank.encode(texts, np.random.default_rng(0).random((4, 8)), FakeBackbone(np.eye(3), np.eye(3)))


def test_saved_and_loaded(tmp_path):
    bank = some_bank()
    bank.save(tmp_path / "bank")
    bank.save(tmp_path / "bank")  # over what is there
    assert sorted(file.name for file in (tmp_path / "bank").iterdir()) == ["bank.parquet", "embeddings.safetensors"]
    loaded = Bank.load(tmp_path / "bank")
    assert loaded.descriptions == bank.descriptions
    assert (loaded.intensities == bank.intensities).all()
    assert (loaded.embeddings == bank.embeddings).all()
    assert (loaded.hash, loaded.truncated, loaded.backbone) == (bank.hash, 1, "fake@1")
    rows = parquet.read_table(tmp_path / "bank" / "bank.parquet").to_pylist()
    assert rows[3] == {"description": "é 2", "intensities": bank.intensities[3].tolist()}


def _another_table(folder):
    bank_of(["a"], np.eye(1)).save(folder / "other")
    (folder / "other" / "bank.parquet").replace(folder / "bank.parquet")


def _table_of_less(folder):
    file = folder / "bank.parquet"
    parquet.write_table(parquet.read_table(file, columns=["description"]), file)


def _bare_embeddings(folder):
    save_file(load_file(folder / "embeddings.safetensors"), folder / "embeddings.safetensors")


@pytest.mark.parametrize(
    ("harm", "error", "message"),
    [
        (_another_table, ValueError, r"^expected the bank \w{12} beside its embeddings, .*bank.parquet has another$"),
        (_table_of_less, ValueError, "expected a bank in .*intensities"),
        (_bare_embeddings, ValueError, "^expected the embeddings of a bank, got .*embeddings.safetensors$"),
        (lambda folder: (folder / "embeddings.safetensors").write_bytes(b"x" * 99), ValueError, "expected a bank in"),
        (lambda folder: (folder / "bank.parquet").write_bytes(b""), ValueError, "expected a bank in"),
        (lambda folder: (folder / "bank.parquet").unlink(), FileNotFoundError, "there is no .*bank.parquet"),
    ],
)
def test_a_broken_bank_is_refused(tmp_path, harm, error, message):
    some_bank().save(tmp_path)
    harm(tmp_path)
    with pytest.raises(error, match=message):
        Bank.load(tmp_path)


def test_cached_embeddings(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(bank_module, "cached_assets_path", lambda *_, **__: tmp_path)
    backbone = FakeBackbone(np.eye(3), np.eye(3))
    encode, asked = backbone.encode_texts, []
    backbone.encode_texts = lambda texts: asked.append(len(texts)) or encode(texts)

    def bank(intensities=None, texts=("long 1", "x 0")):
        return Bank.encode(texts, np.eye(8)[:2] if intensities is None else intensities, backbone, cache=True)

    first, second = bank(), bank()
    assert asked == [2]
    assert (first.embeddings == second.embeddings).all()
    assert (second.truncated, second.backbone, second.hash) == (1, "fake@1", first.hash)
    bank(np.eye(8)[1:3])  # each of these is another bank
    bank(texts=("x 0", "long 1"))
    for name in ("dtype", "revision", "id"):
        monkeypatch.setattr(backbone, name, "bfloat16" if name == "dtype" else "2")
        bank()
    assert len(asked) == 6
    assert bank().backbone == "2@2 in bfloat16"
    for file in tmp_path.iterdir():
        file.write_bytes(file.read_bytes()[:-5])
    assert (bank().embeddings == first.embeddings).all()  # a broken file is made anew
    assert len(asked) == 7
    monkeypatch.setattr(bank_module, "cached_assets_path", lambda *_, **__: tmp_path / "full")
    assert bank().backbone == "2@2 in bfloat16"  # what cannot be kept is there all the same
    assert "the embeddings of 2 descriptions are not kept" in caplog.text


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (
            lambda: bank_of("ab", np.eye(2)).nearest(torch.eye(2), 3),
            "expected k from 1 to the size of the bank, 2, got 3",
        ),
        (
            lambda: bank_of("ab", np.eye(2)).nearest(torch.eye(2), 0),
            "expected k from 1 to the size of the bank, 2, got 0",
        ),
        (lambda: bank_of("ab", np.eye(3)), "expected 2 embeddings, one per distinct description, got 3"),
        (lambda: bank_of("ab", np.eye(2), np.ones((3, 8))), "got 3 rows for 2 descriptions"),
        (lambda: bank_of("ab", [[0, 1], [np.nan, 1]]), "embeddings of descriptions that are not finite"),
        (
            lambda: bank_of("ab", np.eye(2)).nearest(torch.full((1, 2), torch.inf), 1),
            "embeddings of pictures that are not finite",
        ),
    ],
)
def test_bad_input(work, message):
    with pytest.raises(ValueError, match=r"^.*$") as error:
        work()
    assert message in str(error.value)
