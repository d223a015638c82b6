"""A head that proposes several expressions, takes a strength, and stands behind a reader of instructions."""

import numpy as np
import pytest
import torch

from emo3d.blendshapes import BLENDSHAPES
from emo3d.generation import ExpressionConfig, ExpressionModel
from emo3d.instructions import Instruction, apply_instructions

TEXTS = ["a sad man", "a happy woman smiles", "angry"]
BLINK, JAW = BLENDSHAPES.index("eyeBlinkLeft"), BLENDSHAPES.index("jawOpen")


@pytest.fixture
def build(tiny_bert):
    def make(**settings):
        torch.manual_seed(0)
        return ExpressionModel.from_encoder(tiny_bert, hidden_sizes=[8], **settings).eval()

    return make


def scores(shares, proposals):
    """What the head has to end in for these shares and proposals, before softmax and sigmoid."""
    return torch.cat([torch.tensor(shares).log(), torch.logit(torch.tensor(proposals)).flatten()])[None]


def answer(shares, proposals, labels=None, **settings):
    model = ExpressionModel(ExpressionConfig(hidden_sizes=[], proposals=len(shares), **settings)).eval()
    model.head = torch.nn.Sequential(torch.nn.LayerNorm(384))
    model.head.forward = lambda _: scores(shares, proposals)
    return model(embeddings=torch.zeros(1, 384), labels=labels)


def face(**weights):
    """(51,) with 1e-4 where nothing is said, since a sigmoid reaches no 0."""
    return [weights.get(name, 1e-4) for name in BLENDSHAPES]


def test_the_answer_has_the_mean_direction_and_the_mean_length():
    # By hand: proposals (0.8, 0) and (0, 0.6) with equal shares: mean (0.4, 0.3) of length 0.5, mean length 0.7,
    # so 0.7 / 0.5 times the mean: (0.56, 0.42).
    output = answer([0.5, 0.5], [face(eyeBlinkLeft=0.8), face(jawOpen=0.6)])
    expected = np.zeros(51)
    expected[[BLINK, JAW]] = 0.56, 0.42
    assert np.allclose(output.expressions[0], expected, atol=2e-3)
    assert np.allclose(output.shares[0], [0.5, 0.5])
    assert output.proposals.shape == (1, 2, 51)


def test_focus_favours_the_likelier_and_gain_lengthens():
    # 0.8 ** 2 / (0.8 ** 2 + 0.2 ** 2) = 16 / 17.
    focused = answer([0.8, 0.2], [face(eyeBlinkLeft=0.8), face(jawOpen=0.6)], focus=2.0)
    assert np.allclose(focused.shares[0], [16 / 17, 1 / 17], atol=1e-6)
    alone = [face(eyeBlinkLeft=0.5)] * 2
    assert float(answer([0.5, 0.5], alone, gain=1.4).expressions[0, BLINK]) == pytest.approx(0.7, abs=1e-3)
    assert float(answer([0.5, 0.5], alone, gain=3.0).expressions[0, BLINK]) == 1


def test_the_loss_is_the_negative_log_likelihood_of_the_mixture():
    # One label on the first proposal, 0.1 in two weights from the second: with a spread of 0.1 the densities are
    # 1 and exp(-0.02 / 0.02), so the loss is -log(0.75 + 0.25 / e).
    first = face(eyeBlinkLeft=0.5, jawOpen=0.5)
    second = face(eyeBlinkLeft=0.6, jawOpen=0.4)
    output = answer([0.75, 0.25], [first, second], labels=torch.tensor([first]), spread=0.1)
    assert output.loss.item() == pytest.approx(-np.log(0.75 + 0.25 / np.e), abs=1e-5)


def test_several_faces_begin_with_the_answer_and_depend_on_the_seed_only(build):
    model = build(proposals=6)
    faces = model.generate(TEXTS, num_return_sequences=40, seed=1)
    assert faces.shape == (3, 40, 51)
    assert np.allclose(faces[:, 0], model.generate(TEXTS), atol=1e-6)
    assert np.array_equal(faces, model.generate(TEXTS, num_return_sequences=40, seed=1))
    assert not np.array_equal(faces, model.generate(TEXTS, num_return_sequences=40, seed=2))
    alone = model.generate(TEXTS[1:2], num_return_sequences=40, seed=1)
    assert np.allclose(faces[1:2], alone, atol=1e-6)
    assert 2 <= len(np.unique(faces[0, 1:].round(4), axis=0)) <= 6


def test_strength_reaches_the_head_that_takes_it(build):
    model = build(takes_strength=True)
    plain, strong = model.generate(TEXTS), model.generate(TEXTS, strength=1.5)
    assert np.array_equal(plain, model.generate(TEXTS, strength=1.0))
    assert not np.allclose(plain, strong)


@pytest.mark.parametrize(
    ("settings", "options", "message"),
    [
        ({}, {"strength": 0.5}, "expected a strength of 1, since this model learnt no other, got 0.5"),
        ({"takes_strength": True}, {"strength": 2}, "expected a strength of 0 to 1.5, got 2"),
        ({"takes_strength": True}, {"strength": float("nan")}, "expected a strength of 0 to 1.5, got nan"),
        ({}, {"num_return_sequences": 2}, "of 1, since this model proposes one expression, got 2"),
        ({"proposals": 3}, {"num_return_sequences": 0}, "expected num_return_sequences of 1 or more, got 0"),
    ],
)
def test_options_that_a_model_cannot_follow(build, settings, options, message):
    with pytest.raises(ValueError, match=message):
        build(**settings).generate(TEXTS, **options)


def test_instructions_are_read_first_and_hold(build, caplog):
    model = build(reads_instructions=True, proposals=3)
    texts = ["She winks with her left eye", "He is sad and opens his mouth by 40%", "he is sad", "???"]
    faces = model.generate(texts)
    wink = np.zeros(51)
    wink[BLINK] = 1  # nothing else is said, so the rest of the face is at rest
    assert np.array_equal(faces[0], wink)
    assert faces[1, JAW] == pytest.approx(0.4)
    assert faces[2, JAW] != pytest.approx(0.4)
    assert not faces[3].any()
    assert "a face at rest, in row 3" in caplog.text
    assert np.allclose(model.generate(texts, strength=1.0, num_return_sequences=3)[1, :, JAW], 0.4)


def test_without_reading_instructions_words_are_words(build):
    model = build()
    assert model.generate(["She winks with her left eye"])[0].all()


@pytest.mark.parametrize("proposals", [1, 3])
def test_strength_zero_is_a_face_at_rest(build, proposals):
    model = build(takes_strength=True, proposals=proposals)
    faces = [np.linalg.norm(model.generate(TEXTS, strength=strength)) for strength in (0, 0.25, 0.5, 0.75, 1)]
    assert faces[0] == 0
    assert faces == sorted(faces)


def test_instructions_follow_the_strength():
    instructions = [Instruction("blinks", {"eyeBlinkLeft": 0.8})]
    for strength, expected in ((0, 0), (0.5, 0.4), (1, 0.8), (1.5, 1)):
        assert apply_instructions(np.zeros(51), instructions, strength)[BLINK] == pytest.approx(expected)


def test_an_explanation_names_words_and_what_they_move(build):
    model = build(reads_instructions=True)
    (explanation,) = model.explain(["A furious cook winks with her left eye"], least=0.0)
    assert explanation["instructions"] == [
        {"words": "winks with her left eye", "weights": {"eyeBlinkLeft": 1.0, "eyeBlinkRight": 0.0}}
    ]
    told = "A furious cook winks with her left eye"
    assert [entry["word"] for entry in explanation["words"]] == explanation["rest"].split() == told.split()
    plain = build()  # of the same weights: what the encoder makes of the whole, without the instruction
    with_both, without = plain.generate([told, told.replace("furious ", "")])
    expected = dict(zip(BLENDSHAPES, (with_both - without).round(3).tolist(), strict=True))
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):  # which the instruction sets, whatever the words would do
        del expected[name]
    assert explanation["words"][1]["weights"] == pytest.approx(expected, abs=2e-3)
