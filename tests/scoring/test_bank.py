"""The search: exact, in a stated order, and the same in one chunk or many."""

import hashlib
import json
import struct
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
import torch
from oracle import nearest
from pyarrow import parquet
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from emo3d.scoring import Bank, ScoreSettings, score
from emo3d.scoring import bank as bank_module
from fakes import FakeBackbone, pictures

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
    # Then, since nobody says that a backbone gave them, the embeddings: their shape, and little-endian floats.
    looked_up = b"(2, 2)" + struct.pack("<4f", 1, 0, 0, 1)
    digests = [hashlib.sha256(part).hexdigest()[:12] for part in (content, looked_up)]
    assert bank.hash == "{}+embeddings-{}".format(*digests)


def test_one_bank_from_parquet_and_from_csv():
    """0.9 in float32 is 0.89999998; a sum may come to 0.9 but for 1e-16."""
    rows = [[0, 0.9] + [0] * 6, [0.1, 0.2, 0.7, 0, 0, 0, 0, 0.3]]
    exact = np.array(rows)
    variants = [exact, exact.astype(np.float32), exact.astype(np.float32).tolist(), exact + (exact > 0) * 1.1e-16]
    assert (variants[3] != exact).any()
    backbone = FakeBackbone(np.eye(2), np.eye(2))
    banks = [Bank.encode(["x 0", "x 1"], values, backbone) for values in variants]
    assert len({bank.hash for bank in banks}) == 1
    assert all((bank.intensities == exact).all() for bank in banks)  # so the numbers are the same, too
    assert Bank.encode(["x 0", "x 1"], exact + (exact > 0) * 1e-6, backbone).hash != banks[0].hash


def test_intensities_too_small_to_count():
    with pytest.raises(
        ValueError, match=r"^expected an intensity of at least 0.0000001 in row 1, they are all smaller$"
    ):
        Bank.encode(["x 0", "x 1"], [[1] * 8, [1e-9] * 8], FakeBackbone(np.eye(2), np.eye(2)))


def test_the_hash_covers_what_is_looked_up(tmp_path):
    bank = some_bank()
    assert "+" not in bank.hash  # what a backbone gave differs in the last bits from machine to machine
    replaced = replace(bank, embeddings=bank.embeddings.flip(0))
    assert replaced.hash == f"{bank.hash}+embeddings-{replaced.digest}"
    by_hand = Bank(bank.descriptions, bank.intensities, bank.embeddings, bank.truncated, bank.backbone)
    assert by_hand.hash == f"{bank.hash}+embeddings-{bank.digest}"
    for saved in (replaced, by_hand, bank):
        saved.save(tmp_path)
        assert Bank.load(tmp_path).hash == saved.hash


def test_a_replaced_bank_is_signed_as_such():
    references = [{"description": f"x {row}", "intensities": np.eye(8)[row].tolist()} for row in range(8)]
    backbone = FakeBackbone(np.eye(8), np.eye(8))
    bank = Bank.encode([row["description"] for row in references], [row["intensities"] for row in references], backbone)
    settings = ScoreSettings(k=1)
    plain, moved = (
        score(pictures(range(8)), references, bank=which, settings=settings, backbone=backbone)
        for which in (bank, replace(bank, embeddings=bank.embeddings.flip(0)))
    )
    assert moved.kl_divergence > plain.kl_divergence
    assert moved.signature == plain.signature.replace(bank.hash, f"{bank.hash}+embeddings-{moved_digest(bank)}")


def moved_digest(bank):
    content = np.ascontiguousarray(bank.embeddings.flip(0).numpy(), "<f4")
    return hashlib.sha256(f"{content.shape}".encode() + content.tobytes()).hexdigest()[:12]


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


def _large_table(folder):
    """500 times the same megabyte, in 30 kB."""
    texts = pa.array(["x" * 2**20] * 500)
    parquet.write_table(pa.table({"description": texts, "intensities": [[0.5] * 8] * 500}), folder / "bank.parquet")


def _other_embeddings(folder):
    file = folder / "embeddings.safetensors"
    with safe_open(file, "pt") as opened:
        said = opened.metadata()
    save_file({"embeddings": torch.eye(3).flip(0)}, file, said)


def _bare_embeddings(folder):
    save_file(load_file(folder / "embeddings.safetensors"), folder / "embeddings.safetensors")


@pytest.mark.parametrize(
    ("harm", "error", "message"),
    [
        (_another_table, ValueError, r"^expected the bank \w{12} beside its embeddings, .*bank.parquet has another$"),
        (_table_of_less, ValueError, "expected a bank in .*intensities"),
        (_large_table, ValueError, "expected a bank in .*: expected at most 256 MB in the columns that are read"),
        (_other_embeddings, ValueError, r"^expected the embeddings \w{12} in .*, got \w{12}: they were replaced$"),
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
