"""The scorer: any split, order and merging give what one call gives; nothing is scored in part."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import oracle

from emo3d import Emo3DScorer, RenderSettings
from emo3d.scoring import Bank, ScoreSettings, load_backbone, read_references, score
from fakes import FakeBackbone, anything, pictures

WORDS = "happy sad angry calm afraid smile frown".split()


def made_up(n=30, seed=0, expressions=False):
    """References, some of them twice and some texts with several intensities, and a backbone for them."""
    rng = np.random.default_rng(seed)
    texts = rng.normal(size=(n, 6))
    intensities = rng.random((n, 8)).round(1) * (rng.random((n, 8)) < 0.5)
    intensities[:, 0] += 0.1 * (intensities.sum(axis=1) == 0)
    places = rng.integers(0, max(1, n // 2), size=n)
    references = [
        {"description": f"face {place}", "intensities": intensities[place if row % 3 else row].tolist()}
        for row, place in enumerate(places)
    ]
    if expressions:
        references = [row | {"blendshapes": rng.random(51).round(3).tolist()} for row in references]
    backbone = FakeBackbone(*(matrix / np.linalg.norm(matrix, axis=1, keepdims=True) for matrix in (texts, texts + 1)))
    return references, backbone


def flat(result):
    """All numbers of a result by name, but those of single faces; and its words."""
    plain = result.to_dict()
    numbers = {name: plain[name] for name in ("emo3d", "kl_divergence", "recall_at_k", "mse", "mae", "amplitude")}
    for table in ("per_emotion", "per_band"):
        for group, values in plain[table].items():
            numbers |= {f"{table} {group} {name}": value for name, value in values.items() if name != "intervals"}
            numbers |= {f"{table} {group} {name}": ends for name, ends in values["intervals"].items()}
    numbers |= {f"interval {name}": ends for name, ends in plain["intervals"].items()}
    return {name: value for name, value in numbers.items() if value is not None}, (
        plain["n"],
        plain["truncated"],
        plain["references"],
        plain["signature"],
    )


def assert_same(a, b):
    (numbers, words), (others, other_words) = flat(a), flat(b)
    assert words == other_words
    assert numbers.keys() == others.keys()
    for name, value in numbers.items():
        assert value == pytest.approx(others[name], abs=1e-6), name


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_split_order_and_merging_give_one_result(data):
    n = data.draw(st.integers(3, 30))
    references, backbone = made_up(n, seed=data.draw(st.integers(0, 5)))
    configuration = ScoreSettings(k=data.draw(st.integers(1, 3)), n_bootstrap=50)
    bank = data.draw(st.sampled_from(["references", "others"]))
    batch_size = data.draw(st.integers(1, 8))

    def scorer():
        new = Emo3DScorer(configuration, backbone=backbone, batch_size=batch_size)
        return new if bank == "references" else new.fit(references[: max(3, n // 2)])

    whole = scorer()
    whole.update(pictures(range(n)), references)
    order = data.draw(st.permutations(range(n)))
    owner = data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    parts = [scorer() for _ in range(4)]
    for number, part in enumerate(parts):
        rows = [row for row, its in zip(order, owner, strict=True) if its == number]
        while rows:
            count = data.draw(st.integers(1, len(rows)))
            part.update(pictures(rows[:count]), [references[row] for row in rows[:count]])
            rows = rows[count:]
    first, *others = data.draw(st.permutations(parts))
    merged = first.merge(*others)
    assert len(merged) == n
    assert_same(merged.compute(), whole.compute())
    assert max(backbone.batches) == batch_size  # a short batch is filled up


@pytest.mark.parametrize("space", ["weights", "reading"])
def test_rendered_expressions_in_parts(clip_folder, space):
    """Real renders and a real encoder round differently by the number of faces; batches of one size do not."""
    references, _ = made_up(90, expressions=True)
    for row, reference in enumerate(references):
        reference["description"] = f"a {WORDS[row % 7]} {WORDS[row % 5]} face"
    expressions = (np.random.default_rng(0).random((90, 51)) / 2).astype(np.float32)
    configuration = ScoreSettings(backbone=clip_folder, k=5, space=space)
    whole = score(expressions, references, settings=configuration)
    merged = Emo3DScorer(configuration)
    for rows in (range(80, 90), range(33, 80)):
        merged.update(expressions[rows], [references[row] for row in rows])
    other = Emo3DScorer(configuration)
    for row in range(33):
        other.update(expressions[row : row + 1], references[row : row + 1])
    result = merged.merge(other).compute()
    assert_same(result, whole)
    order = [*range(80, 90), *range(33, 80), *range(33)]  # of the updates, then of the merged
    for name, values in result.per_sample.items():
        assert values == pytest.approx(whole.per_sample[name][order], abs=1e-9), name


@pytest.mark.parametrize("variant", ["paper", "release"])
def test_agrees_with_the_oracle(variant):
    references, backbone = made_up(20)
    references = [{**row, "description": f"face {index}"} for index, row in enumerate(references)]  # no ties
    scorer = Emo3DScorer(ScoreSettings(variant=variant, k=4), backbone=backbone, batch_size=3)
    for rows in (range(7), range(7, 20)):
        scorer.update(pictures(rows), [references[row] for row in rows])
    intensities = [row["intensities"] for row in references]
    embeddings = (backbone.pictures.tolist(), backbone.texts.tolist())
    kl, emo3d, _ = oracle(
        *embeddings, intensities, intensities, variant, 4, 0.01, {"paper": 1.0, "release": 20.0}[variant]
    )
    result = scorer.compute()
    assert (result.kl_divergence, result.emo3d) == pytest.approx((kl, emo3d), abs=1e-6)


def test_more_faces_after_compute_and_none_after_reset():
    references, backbone = made_up()
    scorer = Emo3DScorer(ScoreSettings(k=3), backbone=backbone, batch_size=4).fit(references)
    scorer.update(pictures(range(10)), references[:10])
    assert_same(scorer.compute(), scorer.compute())
    scorer.update(pictures(range(10, 30)), references[10:])
    assert_same(
        scorer.compute(), score(pictures(range(30)), references, settings=ScoreSettings(k=3), backbone=backbone)
    )
    scorer.reset()
    assert len(scorer) == 0
    scorer.update(pictures([4]), references[4:5])
    assert scorer.compute().n == 1  # against the bank of thirty that it was fitted with


def test_an_update_counts_as_a_whole_or_not_at_all():
    references, backbone = made_up()
    scorer = Emo3DScorer(ScoreSettings(k=3), backbone=backbone, batch_size=4)
    scorer.update(pictures(range(10)), references[:10])
    before = scorer.compute()
    bad = [*pictures(range(10, 29)), np.zeros((2, 1, 3), np.uint8)]
    for predictions, described, message in [
        (bad, references[10:], "1 x 1 as earlier, got 1 x 2 in row 19"),
        (pictures(range(10)), references[10:], "got 10 predictions and 20 references"),
        (np.zeros((20, 51)), references[10:], "expected pictures of 1 x 1 as before, got expressions"),
        (pictures([10, 11]), [references[10], {"description": "a"}], "expected 'intensities' in reference 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            scorer.update(predictions, described)
    assert len(scorer) == 10
    assert_same(scorer.compute(), before)


def test_pickled_without_its_backbone(clip_folder):
    references, backbone = made_up()
    one, two = (Emo3DScorer(ScoreSettings(k=3), backbone=backbone, batch_size=4) for _ in range(2))
    one.update(pictures(range(9)), references[:9])
    two.update(pictures(range(9, 30)), references[9:])
    sent = pickle.dumps(two)
    assert b"FakeBackbone" not in sent
    merged = one.merge(pickle.loads(sent))
    assert_same(
        merged.compute(), score(pictures(range(30)), references, settings=ScoreSettings(k=3), backbone=backbone)
    )

    named = Emo3DScorer(ScoreSettings(backbone=clip_folder, k=3))
    named.update(np.zeros((10, 51)), references[:10])
    assert_same(pickle.loads(pickle.dumps(named)).compute(), named.compute())  # found again by its name


def test_merging_asks_for_equal_settings():
    references, backbone = made_up()

    def scorer(bank=None, **changed):
        new = Emo3DScorer(ScoreSettings(**{"k": 3} | changed), backbone=backbone)
        return new if bank is None else new.fit(bank)

    fitted = scorer(bank=references)
    with pytest.raises(ValueError, match=r"expected scorers of the same settings, they differ in k: 3, 4; seed: 0, 1$"):
        scorer().merge(scorer(), scorer(k=4, seed=1))
    with pytest.raises(ValueError, match=f"they differ in bank: {fitted.bank.hash}, None$"):
        fitted.merge(scorer())
    other = Emo3DScorer(ScoreSettings(k=3), backbone=FakeBackbone(np.eye(2), np.eye(2)))
    other._backbone.revision = "2"
    with pytest.raises(ValueError, match=r"they differ in revision: 1, 2$"):
        scorer().merge(other)
    by_picture, by_expression = (scorer(render=RenderSettings(size=16)) for _ in range(2))  # as if it had none
    by_picture.update(pictures(range(3)), references[:3])
    by_expression.update(np.zeros((3, 51)), references[:3])
    with pytest.raises(ValueError, match=r"expected scorers of one kind of faces, got pictures of 1 x 1, expressions$"):
        by_picture.merge(by_expression)
    assert len(by_picture) == 3
    assert len(scorer().merge(by_picture)) == 3  # one that has seen nothing asks its backbone for its name


def test_errors_are_computed_for_all_faces_or_none(clip_folder):
    references, _ = made_up(expressions=True)
    scorer = Emo3DScorer(ScoreSettings(backbone=clip_folder, k=3))
    scorer.update(np.zeros((20, 51)), references[:20])
    bare = read_references([{name: row[name] for name in ("description", "intensities")} for row in references[20:]])
    with pytest.raises(ValueError, match="expected reference blendshapes to compare with in every update or in none"):
        scorer.update(np.zeros((10, 51)), bare)
    scorer.update(np.zeros((10, 51)), references[20:])
    expected = np.mean([np.mean(np.square(np.float32(row["blendshapes"]))) for row in references])
    assert scorer.compute().mse == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("work", "message"),
    [
        (lambda: Emo3DScorer(batch_size=0), "expected a batch_size of at least 1, got 0"),
        (lambda: Emo3DScorer(backbone=anything()).compute(), "expected faces to score, got none"),
        (
            lambda: Emo3DScorer(backbone=anything()).fit(made_up(9)[0]),
            "expected a bank of at least k = 10 descriptions",
        ),
        (
            lambda: Emo3DScorer(ScoreSettings(k=1, bank="abc"), backbone=anything()).fit(made_up(9)[0]),
            "expected the bank abc, got",
        ),
    ],
)
def test_bad_input(work, message):
    with pytest.raises(ValueError, match=message):
        work()


def test_references_are_cached_for_backbones_loaded_by_name(clip_folder, monkeypatch, tmp_path):
    references, backbone = made_up()
    monkeypatch.setattr("emo3d.scoring.bank.cached_assets_path", lambda *_, **__: tmp_path)
    Emo3DScorer(backbone=backbone).fit(references)
    assert not list(tmp_path.iterdir())  # two fakes may bear one name
    bank = Emo3DScorer(ScoreSettings(backbone=clip_folder)).fit(references).bank
    assert [bank.hash in file.name for file in tmp_path.iterdir()] == [True]
    monkeypatch.setattr(type(load_backbone(clip_folder)), "encode_texts", None)  # not asked again
    again = Emo3DScorer(ScoreSettings(backbone=clip_folder)).fit(references[::-1]).bank
    assert isinstance(again, Bank)
    assert (again.embeddings == bank.embeddings).all()
