"""Search by FAISS: the exact method's order where all is looked at, measured against brute force where it is not."""

import pickle
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from emo3d.scoring import Bank, Emo3DScorer, ScoreSettings, load_backbone, score
from emo3d_lab.corpus import score_corpus
from emo3d_lab.sample import make_rows
from fakes import FakeBackbone, pictures

SIGNS = (0.25 * (1 - 2 * ((np.arange(256)[:, None] >> np.arange(8)) & 1))).astype(np.float32)
SIGNS = np.hstack([SIGNS, SIGNS])  # 256 unit vectors; their products are multiples of 1/8, exact in any order of adding


def bank_of(embeddings, texts=None):
    texts = tuple(map(str, range(len(embeddings)))) if texts is None else tuple(texts)
    return Bank(texts, np.random.default_rng(9).random((len(texts), 8)), torch.as_tensor(embeddings), 0, "fake@1")


def unit(rng, n, d=32):
    vectors = rng.normal(size=(n, d))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def brute_force(queries, rows, k):
    """Rows by similarity in double precision, then by row: a stable sort of everything."""
    return np.argsort(-(queries.astype(np.float64) @ rows.T.astype(np.float64)), axis=1, kind="stable")[:, :k]


@pytest.mark.parametrize("k", [1, 3, 10, 300, 401])
@pytest.mark.parametrize("index", ["Flat", "IVF8,Flat/nprobe8"])
def test_all_looked_at_is_the_exact_order_with_ties_and_repeated_texts(index, k):
    # 256 texts of which most are as similar as many others, in 401 rows, one text in 50 of them.
    row_text = np.random.default_rng(0).permutation([*range(256), *range(96), *[7] * 49])
    embeddings = SIGNS[list(dict.fromkeys(row_text))]
    bank = bank_of(embeddings, map(str, row_text))
    found = bank.indexed(index).nearest(torch.from_numpy(SIGNS), k)
    assert (found == brute_force(SIGNS, SIGNS[row_text], k)).all()


def test_ties_of_more_texts_than_are_looked_up_first():
    bank = bank_of(np.repeat(np.eye(2, dtype=np.float32), 600, axis=0))  # 600 texts that nothing tells apart, twice
    found = bank.indexed("Flat").nearest(torch.eye(2), 10)
    assert found.tolist() == [[*range(10)], [*range(600, 610)]]


def test_agrees_with_brute_force_on_random_embeddings():
    rng = np.random.default_rng(1)
    texts, queries = unit(rng, 3000), unit(rng, 5000)  # more than are looked up in one go
    expected = brute_force(queries, texts, 10)
    for index in ("Flat", "IVF16,Flat/nprobe16"):
        assert (bank_of(texts).indexed(index).nearest(torch.from_numpy(queries), 10) == expected).all()


@pytest.mark.parametrize(
    ("factory", "search", "lowest", "highest"),
    [
        ("HNSW32", {"efSearch": 128}, 0.95, 1),
        ("IVF64,Flat", {"nprobe": 32}, 0.85, 1),
        ("IVF64,Flat", {"nprobe": 4}, 0.2, 0.75),  # looks at a sixteenth: it must miss, and more than the wider search
        ("PCA32,IVF16,SQ8", {"nprobe": 16}, 0.9, 1),
    ],
)
def test_recall_against_brute_force(factory, search, lowest, highest):
    rng = np.random.default_rng(2)
    texts, queries = unit(rng, 4000), unit(rng, 200)
    found = bank_of(texts).indexed(factory, **search).nearest(torch.from_numpy(queries), 10)
    pairs = zip(found, brute_force(queries, texts, 10), strict=True)
    assert lowest <= np.mean([len(np.intersect1d(one, other)) / 10 for one, other in pairs]) <= highest


@pytest.mark.parametrize("index", ["IVF32,Flat/nprobe4", "HNSW16", "IVF32,PQ8x4/nprobe4"])
def test_the_same_texts_give_the_same_index(index):
    bank = bank_of(unit(np.random.default_rng(3), 2000))
    assert (bank.indexed(index).index.to_bytes() == bank.indexed(index).index.to_bytes()).all()


def test_signature_says_which_index():
    texts = [f"text {row}" for row in range(40)]
    backbone = FakeBackbone(unit(np.random.default_rng(4), 40), unit(np.random.default_rng(5), 40))
    references = [{"description": text, "intensities": np.eye(8)[row % 8]} for row, text in enumerate(texts)]
    bank = Bank.encode(texts, [row["intensities"] for row in references], backbone)
    settings = ScoreSettings(render=None)

    def result(bank):
        return score(pictures(range(40)), references, bank=bank, settings=settings, backbone=backbone)

    exact, flat = result(bank), result(bank.indexed("Flat"))
    assert (flat.kl_divergence, flat.intervals) == (exact.kl_divergence, exact.intervals)
    assert flat.signature == exact.signature.replace(f"|bank:{bank.hash}|", f"|bank:{bank.hash}+Flat|")
    approximate = result(bank.indexed("IVF4,Flat", nprobe=3))
    assert f"|bank:{bank.hash}+IVF4,Flat/nprobe3|" in approximate.signature
    assert bank.indexed("IVF4,Flat/nprobe3").hash == bank.indexed("IVF4,Flat", nprobe=3).hash


def test_scorers_of_different_indices_are_not_merged():
    backbone = FakeBackbone(np.eye(16), np.eye(16))
    bank = bank_of(np.eye(16, dtype=np.float32))

    def scorer(bank):
        return Emo3DScorer(backbone=backbone).fit(bank)

    scorer(bank.indexed("Flat")).merge(scorer(bank.indexed("Flat")))
    with pytest.raises(ValueError, match=re.escape(f"they differ in bank: {bank.hash}, {bank.hash}+Flat")):
        scorer(bank).merge(scorer(bank.indexed("Flat")))
    with pytest.raises(ValueError, match=re.escape(f"expected the bank {bank.hash}, got {bank.hash}+Flat")):
        Emo3DScorer(ScoreSettings(bank=bank.hash), backbone=backbone).fit(bank.indexed("Flat"))


def test_saved_loaded_and_sent_to_other_processes(tmp_path):
    rng = np.random.default_rng(6)
    bank = bank_of(unit(rng, 500)).indexed("IVF16,Flat", nprobe=2)
    queries = torch.from_numpy(unit(rng, 50))
    bank.save(tmp_path)
    for other in (Bank.load(tmp_path), pickle.loads(pickle.dumps(bank))):
        assert other.hash == bank.hash
        assert (other.nearest(queries, 5) == bank.nearest(queries, 5)).all()
    exact = bank_of(bank.embeddings)
    exact.save(tmp_path)  # over the one with an index
    assert Bank.load(tmp_path).hash == exact.hash


def test_workers_of_a_corpus_search_by_the_index(tmp_path):
    rows = make_rows("test", 40)
    references = {
        "description": [row.description for row in rows],
        "intensities": [row.intensities for row in rows],
    }
    bank = Bank.encode(*references.values(), load_backbone("quickstart")).indexed("IVF4,Flat", nprobe=3)
    expressions, settings = np.array([row.blendshapes for row in rows]), ScoreSettings(backbone="quickstart")
    whole = score(expressions, references, bank=bank, settings=settings)
    parts = score_corpus(expressions, references, tmp_path, bank=bank, settings=settings, block_size=32)
    assert (parts.per_sample["kl_divergence"] == whole.per_sample["kl_divergence"]).all()
    assert parts.signature == whole.signature


@pytest.mark.parametrize(
    ("index", "message"),
    [
        (
            "IVF8,Flat/nprobe=2",
            "^expected the name of an index, such as IVF4096,Flat/nprobe64, got 'IVF8,Flat/nprobe=2'$",
        ),
        ("IVF8,Flat/nprobe0", "^expected the name of an index"),
        ("Flat|k:3", "^expected an index that FAISS can make of these embeddings, got Flat.k:3: could not parse"),
        ("Flot", "^expected an index that FAISS can make of these embeddings, got Flot: could not parse .* Flot$"),
        ("Flat/nprobe3", "got Flat/nprobe3: .*could not set parameter nprobe$"),
        ("IVF64,Flat", r"got IVF64,Flat: .*Number of training points \(16\) should be at least .* clusters \(64\)$"),
    ],
)
def test_an_index_that_cannot_be_made(index, message):
    with pytest.raises(ValueError, match=message):
        bank_of(np.eye(16, dtype=np.float32)).indexed(index)


def test_a_search_that_finds_too_little_is_refused():
    bank = bank_of(SIGNS).indexed("IVF64,Flat", nprobe=1)
    with pytest.raises(
        ValueError, match=r"^expected 50 texts per picture, the index IVF64,Flat/nprobe1 found only \d+ "
    ):
        bank.nearest(torch.from_numpy(SIGNS), 50)


def test_an_index_of_other_embeddings_is_refused():
    bank = bank_of(SIGNS).indexed("Flat")
    with pytest.raises(ValueError, match=re.escape("expected an index of (2, 2) embeddings, got (256, 16)")):
        Bank(("a", "b"), np.ones((2, 8)), torch.eye(2), index=bank.index)


def test_an_index_of_replaced_embeddings_is_refused():
    bank = bank_of(SIGNS).indexed("Flat")
    with pytest.raises(ValueError, match=r"^expected an index of the bank's own embeddings, "):
        replace(bank, embeddings=bank.embeddings.flip(0))


def test_damaged_bytes_never_reach_faiss(tmp_path):
    bank = bank_of(SIGNS).indexed("Flat")
    bank.save(tmp_path)
    file = tmp_path / "embeddings.safetensors"
    tensors = load_file(file)
    with safe_open(file, "pt") as opened:
        said = opened.metadata()
    tensors["index"][20] ^= 255
    save_file(tensors, file, said)
    with pytest.raises(ValueError, match=r"^expected the index that was saved in .*, its digest is another$"):
        Bank.load(tmp_path)
    del said["index_digest"]  # as earlier versions saved it: the index is made anew
    save_file(tensors, file, said)
    assert (Bank.load(tmp_path).index.to_bytes() == bank.index.to_bytes()).all()


def test_without_faiss(monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(OSError, match=r'^the index Flat needs FAISS: install it with `pip install "emo3d\[faiss\]"`$'):
        bank_of(SIGNS).indexed("Flat")
