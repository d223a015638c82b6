"""`score` as a whole against the plain-Python oracle, which shares no code with it, on banks drawn at random."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import divergence, exact_match, oracle

from emo3d.scoring import Bank, ScoreSettings, score
from fakes import FakeBackbone, pictures

ALPHA = {"paper": 1.0, "release": 20.0}
SIGNS = [[0.5 - bit for bit in bits] for bits in np.ndindex(2, 2, 2, 2)]  # 16 unit vectors; most similarities are ties


@st.composite
def cases(draw):
    """Intensities with zeros and repeats, texts that repeat, and embeddings that are random or full of ties."""
    size, n = draw(st.integers(1, 25)), draw(st.integers(1, 6))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))

    def intensities(rows):
        values = rng.random((rows, 8)).round(1) * (rng.random((rows, 8)) < draw(st.sampled_from([0.2, 0.6, 1.0])))
        values[values.sum(axis=1) == 0, rng.integers(8)] = 0.4
        return values.tolist()

    if draw(st.booleans()):
        texts, seen = (rng.permutation(SIGNS)[rng.integers(16, size=25)] for _ in range(2))
    else:
        texts, seen = rng.normal(size=(25, 5)), rng.normal(size=(25, 5))
    places = rng.integers(0, draw(st.integers(1, 16)), size=size).tolist()  # which text each row of the bank has
    own = rng.integers(0, 16, size=n).tolist()
    return texts.tolist(), seen.tolist(), places, intensities(size), own, intensities(n)


# Always the same cases: once in some thousand, two similarities differ by less than float32 can tell.
@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    case=cases(),
    variant=st.sampled_from(["paper", "release"]),
    k=st.integers(1, 12),
    epsilon=st.sampled_from([0.01, 1e-3, 0.1]),
    alpha=st.sampled_from([None, 0.5, 7.0]),
)
def test_against_a_bank_of_its_own(case, variant, k, epsilon, alpha):
    texts, seen, places, in_bank, own, described = case
    backbone = FakeBackbone(unit(texts), unit(seen))
    bank = Bank.encode([f"text {place}" for place in places], in_bank, backbone)
    references = [{"description": f"text {o}", "intensities": row} for o, row in zip(own, described, strict=True)]
    configuration = ScoreSettings(variant=variant, k=k, epsilon=epsilon, alpha=alpha, n_bootstrap=1)

    def ours():
        return score(pictures(range(len(own))), references, bank=bank, settings=configuration, backbone=backbone)

    bank_texts = [texts[place] for place in places]
    if k > len(places):
        with pytest.raises(ValueError, match=f"expected a bank of at least k = {k} descriptions, got {len(places)}$"):
            ours()
        with pytest.raises(ValueError, match="k is larger than the bank"):
            oracle(seen[: len(own)], bank_texts, in_bank, described, variant, k, epsilon, 1.0)
        return
    kl, emo3d, rows = oracle(
        seen[: len(own)], bank_texts, in_bank, described, variant, k, epsilon, alpha or ALPHA[variant]
    )
    result = ours()
    assert (result.kl_divergence, result.emo3d) == pytest.approx((kl, emo3d), abs=1e-5)
    if set(own) <= set(places):
        assert result.recall_at_k == pytest.approx(exact_match(own, places, rows))
    else:
        assert result.recall_at_k is None


@settings(max_examples=100, deadline=None, derandomize=True)
@given(case=cases(), variant=st.sampled_from(["paper", "release"]), k=st.integers(1, 5))
def test_references_are_the_bank(case, variant, k):
    texts, seen, places, intensities, *_ = case
    words = [f"text {place}" for place in places]
    k = min(k, len(words))
    references = [{"description": w, "intensities": row} for w, row in zip(words, intensities, strict=True)]
    configuration = ScoreSettings(variant=variant, k=k, n_bootstrap=1)
    backbone = FakeBackbone(unit(texts), unit(seen))
    result = score(pictures(range(len(words))), references, settings=configuration, backbone=backbone)
    # As a bank, references are sorted by description, then intensities: of two equals, the first one counts.
    order = sorted(range(len(words)), key=lambda row: (words[row], intensities[row]))
    kl, emo3d, rows = oracle(
        seen[: len(words)],
        [texts[places[row]] for row in order],
        [intensities[row] for row in order],
        intensities,
        variant,
        k,
        0.01,
        ALPHA[variant],
    )
    assert (result.kl_divergence, result.emo3d) == pytest.approx((kl, emo3d), abs=1e-5)
    assert result.recall_at_k == pytest.approx(exact_match(words, [words[row] for row in order], rows))


def unit(rows):
    return [[value / math.hypot(*row) for value in row] for row in rows]


def test_the_oracle_gives_the_numbers_of_the_released_code():
    """What the released code gives for a one-emotion row, k = 10 and alpha = 20, from FACTS.md section 2."""
    joy, grief = [0, 0.8, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0.8, 0, 0, 0, 0]
    perfect = divergence(joy, [joy] * 10, "release", 0.01)
    assert perfect == pytest.approx(22.07, abs=0.005)
    assert 1 / (1 + math.exp(-perfect / 20)) == pytest.approx(0.751, abs=5e-4)
    assert divergence(joy, [joy] * 10, "paper", 0.01) == pytest.approx(-math.log(1.01))  # slightly less than 0
    assert divergence(joy, [grief] * 10, "paper", 0.01) == pytest.approx(math.log(100))
