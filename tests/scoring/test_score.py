"""The score as a whole, with embeddings chosen by the test; the oracle knows nothing of the code under test."""

import json
from dataclasses import fields, replace

import datasets
import numpy as np
import pandas as pd
import pytest
import scipy.stats
import torch
from oracle import oracle
from PIL import Image

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face import PANEL, RenderSettings, render
from emo3d.face.calibration import load_calibration
from emo3d.scoring import Bank, Emo3DResult, ScoreSettings, load_backbone, read_references, score, score_distributions
from emo3d.scoring.predictions import read_batch
from emo3d_lab.sample import make_rows
from fakes import FakeBackbone, anything, pictures


def case(seed, n=30, dimension=6):
    """References, and a backbone that embeds picture i near description i."""
    rng = np.random.default_rng(seed)
    texts = rng.normal(size=(n, dimension))
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    seen = texts + 0.8 * rng.normal(size=(n, dimension))
    intensities = np.where(rng.random((n, 8)) < 0.5, rng.random((n, 8)).round(2), 0)
    intensities[:, 0] += 0.01
    references = [
        {"description": f"face {row}", "intensities": values.tolist()} for row, values in enumerate(intensities)
    ]
    return references, FakeBackbone(texts, seen / np.linalg.norm(seen, axis=1, keepdims=True))


@pytest.mark.parametrize("variant", ["paper", "release"])
@pytest.mark.parametrize(("n", "k"), [(1, 1), (2, 2), (30, 10), (40, 7)])
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_oracle(seed, n, k, variant):
    references, backbone = case(seed, n)
    settings = ScoreSettings(variant=variant, k=k)
    result = score(pictures(range(n)), references, settings=settings, backbone=backbone)
    intensities = [reference["intensities"] for reference in references]
    alpha = {"paper": 1.0, "release": 20.0}[variant]
    embeddings = (backbone.pictures.tolist(), backbone.texts.tolist())
    kl, emo3d, rows = oracle(*embeddings, intensities, intensities, variant, k, 0.01, alpha)
    assert (result.kl_divergence, result.emo3d) == pytest.approx((kl, emo3d), abs=1e-6)
    assert result.recall_at_k == np.mean([row in found for row, found in enumerate(rows)])


@pytest.mark.parametrize("batch_size", [1, 7, 30])
def test_a_batch_equals_its_parts(batch_size):
    references, backbone = case(0)
    settings = ScoreSettings(k=5)
    bank = Bank.encode(*_columns(references), backbone)
    whole = score(
        pictures(range(30)), references, bank=bank, settings=settings, backbone=backbone, batch_size=batch_size
    )
    assert max(backbone.batches) == batch_size  # never more in memory
    parts = [
        score(pictures(rows), [references[row] for row in rows], bank=bank, settings=settings, backbone=backbone)
        for rows in (range(11), range(11, 12), range(12, 30))
    ]
    for name in ("kl_divergence", "distribution", "match"):
        values = whole.per_sample[name]
        assert np.concatenate([part.per_sample[name] for part in parts]) == pytest.approx(values, abs=1e-12)
    assert len({part.signature for part in (whole, *parts)}) == 1


def test_result_has_its_parts():
    references, backbone = case(1)
    result = score(pictures(range(30)), references, backbone=backbone)
    kl = result.per_sample["kl_divergence"]
    assert (result.n, result.truncated, kl.shape) == (30, 0, (30,))
    assert result.per_sample["distribution"].sum(axis=1) == pytest.approx(np.ones(30))
    assert result.kl_divergence == pytest.approx(kl.mean())
    for name, (low, high) in result.intervals.items():
        assert low <= getattr(result, name) <= high
    assert set(result.intervals) == {"emo3d", "kl_divergence", "recall_at_k"}
    strongest = [int(np.argmax(reference["intensities"])) for reference in references]
    assert result.per_emotion["anger"]["n"] == strongest.count(4)
    assert result.per_emotion["anger"]["kl_divergence"] == pytest.approx(kl[np.array(strongest) == 4].mean())
    assert sum(group["n"] for group in result.per_emotion.values()) == 30


@pytest.mark.parametrize(
    ("strongest", "band"),
    [(0.19, "0.0-0.2"), (0.2, "0.2-0.4"), (0.4, "0.4-0.6"), (0.6, "0.6-0.8"), (0.8, "0.8-1.0"), (1.0, "0.8-1.0")],
)
def test_bands_by_the_strongest_intensity(strongest, band):
    references = [{"description": "a", "intensities": [0, strongest, strongest / 2] + [0] * 5}]
    per_band = score_distributions([0, 1] + [0] * 6, references).per_band
    # p = (2/3, 1/3), q = (1, 0): 2/3 ln(2/3 / 1.01) + 1/3 ln(1/3 / 0.01)
    kl = 2 / 3 * np.log(2 / 3 / 1.01) + 1 / 3 * np.log(1 / 3 / 0.01)
    expected = {"n": 1, "emo3d": pytest.approx(1 / (1 + np.exp(-kl))), "kl_divergence": pytest.approx(kl)}
    expected["intervals"] = {}  # one face has none
    assert per_band == {band: expected}


def test_intervals_of_groups_are_as_wide_as_theory_says():
    # 1.96 standard errors to each side of each group's mean; 8% for the noise of 2,000 resamples.
    rng = np.random.default_rng(0)
    intensities = np.where(rng.random((3000, 1)) < 0.5, [0.9, 0.1] + [0] * 6, [0.1, 0.5] + [0] * 6)
    references = {"description": [f"a {row}" for row in range(3000)], "intensities": intensities.tolist()}
    result = score_distributions(rng.random((3000, 8)), references, ScoreSettings(n_bootstrap=2000))
    kl = result.per_sample["kl_divergence"]
    for group, rows in [
        (result.per_emotion["neutral"], intensities[:, 0] == 0.9),
        (result.per_band["0.4-0.6"], intensities[:, 0] == 0.1),
    ]:
        low, high = group["intervals"]["kl_divergence"]
        assert low < kl[rows].mean() < high
        assert (high - low) / 2 == pytest.approx(1.96 * kl[rows].std() / np.sqrt(rows.sum()), rel=0.08)
        assert group["intervals"]["emo3d"] == pytest.approx((1 / (1 + np.exp(-low)), 1 / (1 + np.exp(-high))))


def test_faces_of_one_reference_are_resampled_together():
    """Four faces for each of 60 descriptions, once all alike, so that they tell no more than one face does."""
    rng = np.random.default_rng(0)
    intensities, distributions = rng.random((2, 60, 8))
    settings = ScoreSettings(n_bootstrap=2000)

    def scored(times, distributions):
        rows = np.repeat(np.arange(60), times)
        references = {"description": [f"a {row}" for row in rows], "intensities": intensities[rows]}
        return score_distributions(distributions, references, settings)

    once, alike = scored(1, distributions), scored(4, distributions.repeat(4, axis=0))
    assert (once.n, alike.n) == (60, 240)
    for name, interval in once.intervals.items():
        assert alike.intervals[name] == pytest.approx(interval, abs=1e-12)
    for table in ("per_emotion", "per_band"):
        for name, group in getattr(once, table).items():
            other = getattr(alike, table)[name]
            assert other["n"] == 4 * group["n"]
            assert other["intervals"].keys() == group["intervals"].keys()  # none of fewer than ten descriptions

    other = scored(4, rng.random((240, 8)))
    means = other.per_sample["kl_divergence"].reshape(60, 4).mean(axis=1)
    theirs = scipy.stats.bootstrap((means,), np.mean, n_resamples=5000, rng=1, method="BCa").confidence_interval
    width = theirs.high - theirs.low
    assert other.intervals["kl_divergence"] == pytest.approx((theirs.low, theirs.high), abs=0.08 * width)


def test_references_are_hashed_in_any_order():
    # The hash of a bank of them, sorted: by description, then intensities.
    rows = [("b", [0.5] * 8), ("a", [0.5] * 8), ("a", [0.25] * 8), ("b", [0.5] * 8)]
    by_order = Bank(("a", "a", "b", "b"), np.array([[0.25] * 8] + [[0.5] * 8] * 3), torch.eye(2)).hash
    by_order = by_order.partition("+")[0]  # without the embeddings
    for order in ([0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2]):
        references = [{"description": rows[row][0], "intensities": rows[row][1]} for row in order]
        result = score_distributions([1] + [0] * 7, references)
        assert result.references == by_order
        assert result.per_sample["reference"].tolist() == [[2, 1, 0, 2][row] for row in order]
    assert score_distributions([1] + [0] * 7, references[:3]).references != by_order


def test_references_in_float32_and_float64_are_the_same_ones():
    exact = np.random.default_rng(0).random((60, 8)).round(2)
    exact[:, 0] += 0.01
    texts = [f"face {row // 2}" for row in range(60)]  # texts come twice: intensities decide their order
    found = np.random.default_rng(1).random((60, 8))
    one, other, third = (
        score_distributions(found, {"description": texts, "intensities": values.tolist()})
        for values in (exact, exact.astype(np.float32), exact * (1 - 1e-16) + 1e-17)
    )
    assert one.to_dict(per_sample=True) == other.to_dict(per_sample=True) == third.to_dict(per_sample=True)


def test_result_is_json_and_comes_back(tmp_path):
    references, backbone = case(1)
    for result in (
        score(pictures(range(30)), references, backbone=backbone),
        score_distributions([1] + [0] * 7, references),
    ):
        plain = result.to_dict(per_sample=True)
        read_back = Emo3DResult.from_dict(json.loads(json.dumps(plain)))
        assert read_back.to_dict(per_sample=True) == plain
        assert "per_sample" not in result.to_dict()
        assert Emo3DResult.from_dict(result.to_dict()).per_sample == {}
        result.save(tmp_path / "result.json")
        loaded = Emo3DResult.load(tmp_path / "result.json")
        for field in fields(Emo3DResult):
            if field.name != "per_sample":
                assert getattr(loaded, field.name) == getattr(result, field.name)
        for name, values in result.per_sample.items():
            assert loaded.per_sample[name].dtype == values.dtype
            assert (loaded.per_sample[name] == values).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "expected a result with 'emo3d', got nothing"),
        ('{"emo3d": 1}', "expected a result with 'kl_divergence', got emo3d"),
        ("[]", "expected a result, got a list"),
        ("{", "result.json: "),
    ],
)
def test_no_result(tmp_path, text, message):
    (tmp_path / "result.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        Emo3DResult.load(tmp_path / "result.json")


def test_errors_of_expressions_by_hand(clip_folder):
    references = [
        {"description": f"a {word} face", "intensities": [1] + [0] * 7, "blendshapes": [0.0] * 51}
        for word in ("happy", "sad", "calm")
    ]
    predicted = np.zeros((3, 51))
    predicted[0, :2] = 0.5  # squared 0.25 twice over 51; absolute 0.5 twice over 51
    result = score(predicted, references, settings=ScoreSettings(backbone=clip_folder, k=2))
    assert result.per_sample["mse"] == pytest.approx([0.5 / 51, 0, 0])
    assert result.per_sample["mae"] == pytest.approx([1 / 51, 0, 0])
    assert (result.mse, result.mae) == pytest.approx((0.5 / 51 / 3, 1 / 51 / 3))
    assert set(result.intervals) == {"recall_at_k"}  # of three faces; Wilson's holds for any number


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ([0.2, 0.6, 0.9], 0.6),
        ([0.2, 0.6, 0.9, 0.5], 0.55),  # between the two in the middle
        ([0.2, None, 0.4, None], 0.3),  # of weak references there is none
        ([None, None], None),
    ],
)
def test_amplitude_by_hand(clip_folder, tmp_path, shares, expected):
    """References are (0.6, 0.8) and nothing else, of norm 1, or half of that; predictions are a share of them."""
    reference = np.zeros(51)
    reference[[3, 30]] = 0.6, 0.8
    references = [
        {
            "description": f"face {row}",
            "intensities": [1] + [0] * 7,
            "blendshapes": reference / 2 if share is None else reference,
        }
        for row, share in enumerate(shares)
    ]
    predicted = [(1 if share is None else share) * reference for share in shares]
    settings = ScoreSettings(backbone=clip_folder, k=2)
    result = score(predicted, references, settings=settings)
    assert result.amplitude == (None if expected is None else pytest.approx(expected, abs=1e-6))
    by_hand = [np.nan if share is None else share for share in shares]
    assert result.per_sample["amplitude"] == pytest.approx(by_hand, abs=1e-6, nan_ok=True)
    assert ("amplitude" in result.numbers) == (expected is not None)
    assert "amplitude" not in result.intervals  # of so few
    turned = score(predicted[::-1], references[::-1], settings=settings)
    assert turned.amplitude == result.amplitude

    result.save(tmp_path / "result.json")
    plain = json.loads((tmp_path / "result.json").read_text())
    assert plain["per_sample"]["amplitude"] == [None if share is None else pytest.approx(share) for share in shares]
    loaded = Emo3DResult.load(tmp_path / "result.json")
    assert loaded.to_dict(per_sample=True) == result.to_dict(per_sample=True)
    assert loaded.per_sample["amplitude"].dtype == np.float64
    np.testing.assert_array_equal(loaded.per_sample["amplitude"], result.per_sample["amplitude"])


def test_no_amplitude_without_expressions_to_compare(clip_folder):
    references = [{"description": f"face {row}", "intensities": [1] + [0] * 7} for row in range(3)]
    result = score(np.ones((3, 51)), references, settings=ScoreSettings(backbone=clip_folder, k=2))
    assert result.amplitude is None
    assert "amplitude" not in result.per_sample
    assert "amplitude" not in str(result).partition("|")[0]


def test_the_interval_of_the_amplitude_is_one_of_strong_references(clip_folder):
    """Eleven of norm 1 and as many weak ones; the order of the rows moves nothing, the seed does."""
    rng = np.random.default_rng(0)
    reference = np.zeros(51)
    reference[[3, 30]] = 0.6, 0.8
    references = [
        {"description": f"face {row}", "intensities": [1] + [0] * 7, "blendshapes": reference / (1 + row % 2)}
        for row in range(22)
    ]
    predicted = rng.random((22, 1)) * reference
    settings = ScoreSettings(backbone=clip_folder, k=2, n_bootstrap=200)
    result = score(predicted, references, settings=settings)
    shares = (predicted @ reference)[::2]
    assert result.amplitude == pytest.approx(np.median(shares), abs=1e-6)
    low, high = result.intervals["amplitude"]
    assert shares.min() <= low < result.amplitude < high <= shares.max() + 1e-6
    order = rng.permutation(22)
    turned = score(predicted[order], [references[row] for row in order], settings=settings)
    assert (turned.amplitude, turned.intervals["amplitude"]) == (result.amplitude, (low, high))
    narrow = score(predicted, references, settings=replace(settings, confidence=0.5))
    assert low < narrow.intervals["amplitude"][0] < narrow.intervals["amplitude"][1] < high
    few = score(predicted[:18], references[:18], settings=settings)  # nine of them are strong
    assert few.amplitude is not None
    assert "amplitude" not in few.intervals


def test_every_number_has_an_interval(clip_folder):
    references = [
        {"description": f"a {word} face {row}", "intensities": [1] + [0] * 7, "blendshapes": [0.2] * 51}
        for row, word in enumerate(["happy", "sad"] * 5)
    ]
    predicted = np.full((10, 51), 0.2)
    predicted[0, :2] = 0.7
    result = score(predicted, references, settings=ScoreSettings(backbone=clip_folder, k=2))
    assert set(result.intervals) == {"emo3d", "kl_divergence", "recall_at_k", "mse", "mae", "amplitude"}
    assert result.intervals["mse"][0] == 0  # errors are not negative, whatever the resamples say
    found = scipy.stats.binomtest(round(10 * result.recall_at_k), 10).proportion_ci(method="wilson")
    assert result.intervals["recall_at_k"] == pytest.approx((found.low, found.high))
    assert "render:portrait-3/32px" in result.signature  # at the backbone's own size


def test_expressions_and_their_renders_score_alike(clip_folder):
    rng = np.random.default_rng(0)
    expressions = rng.random((6, 51)) / 2
    references = [
        {"description": f"a {word} face", "intensities": rng.random(8)}
        for word in "happy sad calm wide one two".split()
    ]
    settings = ScoreSettings(backbone=clip_folder, k=3)
    rendered = render(expressions, settings=RenderSettings(size=32))
    by_expression, by_picture = (score(given, references, settings=settings) for given in (expressions, rendered))
    assert by_expression.per_sample["kl_divergence"] == pytest.approx(by_picture.per_sample["kl_divergence"], abs=1e-9)
    assert "|identity:-|render:-|" in by_picture.signature


def test_another_bank():
    references, backbone = case(2)
    elsewhere = Bank.encode(*_columns(references[10:]), backbone)
    result = score(pictures(range(10)), references[:10], bank=elsewhere, backbone=backbone)
    assert result.recall_at_k is None  # the bank does not hold the descriptions
    assert "recall_at_k" not in result.intervals
    assert f"bank:{elsewhere.hash}" in result.signature
    assert score(pictures(range(10, 30)), references[10:], bank=elsewhere, backbone=backbone).recall_at_k is not None


@pytest.mark.parametrize(
    ("variant", "expected"),
    [
        # q = (0.75, 0.25) for happiness and sadness, p = happiness: ln(1 / 0.76)
        ("paper", -np.log(0.76)),
        # four rows of (0.75, 0.25) / 4: 4 ln(1 / 0.1975)
        ("release", -4 * np.log(0.75 / 4 + 0.01)),
    ],
)
def test_constant_distribution_by_hand(variant, expected):
    references = [{"description": "x", "intensities": {"happiness": 0.8}}] * 3
    result = score_distributions([0, 0.75, 0, 0.25, 0, 0, 0, 0], references, ScoreSettings(variant=variant, k=4))
    assert result.per_sample["kl_divergence"] == pytest.approx([expected] * 3)
    assert result.recall_at_k is None
    assert "|backbone:-|revision:-|" in result.signature


def test_every_parameter_moves_the_signature():
    changed = {
        "variant": "release",
        "k": 5,
        "epsilon": 0.02,
        "alpha": 2.0,
        "backbone": "quickstart",
        "revision": "main",
        "dtype": "bfloat16",
        "bank": "0123456789ab",
        "space": "weights",
        "calibration": "refine",
        "identity": "girl",
        "identities": 3,
        "render": RenderSettings(size=112),
        "n_bootstrap": 10,
        "confidence": 0.9,
        "seed": 1,
    }
    assert list(changed) == [field.name for field in fields(ScoreSettings)]
    plain = ScoreSettings(space="reading")  # of weights nothing is calibrated
    for name, value in changed.items():
        assert replace(plain, **{name: value}).signature != plain.signature, name
    assert "|render:" in plain.signature
    assert plain.signature.startswith("variant:paper|k:10|epsilon:0.01|alpha:1.0|")
    assert "|space:weights|calibration:-|" in ScoreSettings().signature


@pytest.mark.parametrize(
    ("space", "method", "said"),
    [("weights", "refine", "-"), ("reading", "none", "none"), ("reading", "network", "network/anny-2")],
)
def test_the_signature_says_how_readings_became_weights(space, method, said, clip_folder):
    """anny-2 is the packaged calibration's name; a name per fit is what its own tests ask for."""
    references = [{"description": f"face {row}", "intensities": [1] + [0] * 7} for row in range(2)]
    settings = ScoreSettings(backbone=clip_folder, k=2, space=space, calibration=method)
    by_expression = score(np.full((2, 51), 0.25), references, settings=settings)
    assert f"|space:{space}|calibration:{said}|identity:adult|" in by_expression.signature
    by_picture = score(pictures(range(2)), references, settings=settings, backbone=case(0)[1])
    assert "|space:-|calibration:-|identity:-|" in by_picture.signature


def test_readings_are_scored_as_their_calibrated_render(clip_folder):
    """The same picture made the long way round: to_weights, render, score the picture."""
    rng = np.random.default_rng(0)
    readings = rng.random((4, 51)) / 2
    references = [
        {"description": f"a {word} face", "intensities": rng.random(8)} for word in ("happy", "sad", "calm", "wide")
    ]
    settings = ScoreSettings(backbone=clip_folder, k=2, space="reading", calibration="refine")
    rendered = render(load_calibration().to_weights(readings), settings=RenderSettings(size=32))
    raw = render(readings, settings=RenderSettings(size=32))
    embed = load_backbone(clip_folder).encode_pictures
    ours = score(readings, references, settings=settings).per_sample["kl_divergence"]
    assert ours == pytest.approx(score(rendered, references, settings=settings).per_sample["kl_divergence"], abs=1e-6)
    assert not np.allclose(embed(rendered), embed(raw))  # so that the test can fail


def test_errors_only_within_one_space(clip_folder, caplog):
    references = [
        {"description": "a happy face", "intensities": [1] + [0] * 7, "blendshapes": [0.25] * 51},
        {"description": "a sad face", "intensities": [0, 1] + [0] * 6, "blendshapes": [0.5] * 51},
    ]
    settings = ScoreSettings(backbone=clip_folder, k=2)
    unsaid, alike, apart = (
        score(np.zeros((2, 51)), read_references(references, space), settings=settings)
        for space in (None, "weights", "reading")
    )
    assert unsaid.mae == alike.mae == pytest.approx(0.375)
    assert (apart.mse, apart.mae, apart.kl_divergence) == (None, None, alike.kl_divergence)
    assert "the references' blendshapes are reading, the predictions weights" in caplog.text


def test_identities_average_over_the_panel():
    """The mean of the scores on each face by itself."""
    rows = make_rows("test", 20)
    expressions = [row.blendshapes for row in rows]
    references = [{"description": row.description, "intensities": row.intensities} for row in rows]
    settings = ScoreSettings(backbone="quickstart", k=3)
    panel = score(expressions, references, settings=replace(settings, identities=3), batch_size=4)
    each = [score(expressions, references, settings=replace(settings, identity=name)) for name in list(PANEL)[:3]]
    assert "|identity:panel-2/3|" in panel.signature
    for name in ("kl_divergence", "distribution", "match"):
        alone = [result.per_sample[name] for result in each]
        assert panel.per_sample[name] == pytest.approx(np.mean(alone, axis=0), abs=1e-6)
    assert len({result.kl_divergence for result in each}) > 1  # so that the test can fail
    assert panel.kl_divergence == pytest.approx(np.mean([result.kl_divergence for result in each]), abs=1e-6)
    described = [{"description": f"face {row}", "intensities": [1] + [0] * 7} for row in range(3)]
    pictured = score(pictures(range(3)), described, settings=replace(settings, identities=3), backbone=case(0)[1])
    assert "|identity:-|" in pictured.signature


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"identities": 0}, "expected 1 to 12 identities, got 0"),
        ({"identities": 13}, "expected 1 to 12 identities, got 13"),
        ({"identities": 3, "identity": "girl"}, "expected an identity or several identities, got 'girl' and 3"),
    ],
)
def test_wrong_identities(given, message):
    with pytest.raises(ValueError, match=message):
        ScoreSettings(**given)


def test_alpha_follows_the_variant_until_it_is_named():
    assert replace(ScoreSettings(), variant="release").divisor == 20
    assert replace(ScoreSettings(alpha=3), variant="release").divisor == 3


@pytest.mark.parametrize("container", [list, datasets.Dataset.from_list, "columns"])
def test_references_in_any_container(container):
    rows = [
        {"description": "a", "intensities": [0.5] * 8, "blendshapes": [0.1] * 51, "other": 1},
        {"description": "b", "intensities": [0.25] * 8, "blendshapes": [0.2] * 51, "other": 2},
    ]
    given = {name: [row[name] for row in rows] for name in rows[0]} if container == "columns" else container(rows)
    read = read_references(given)
    assert (read.descriptions, read.intensities[:, 3].tolist()) == (["a", "b"], [0.5, 0.25])
    assert read.expressions[:, 0] == pytest.approx([0.1, 0.2])


def test_pictures_in_any_container(tmp_path):
    references, backbone = case(3, n=4)
    arrays = pictures(range(4))
    images = [Image.fromarray(array) for array in arrays]
    for index, image in enumerate(images):
        image.save(tmp_path / f"{index}.png")
    paths = [str(tmp_path / f"{index}.png") for index in range(4)]
    column = datasets.Dataset.from_dict({"image": paths}).cast_column("image", datasets.Image())["image"]
    given = [arrays, list(arrays), images, paths, [tmp_path / "0.png", *paths[1:]], column]
    settings = ScoreSettings(k=2)
    kl = [score(each, references, settings=settings, backbone=backbone).kl_divergence for each in given]
    assert len(set(kl)) == 1


def _columns(references):
    return [row["description"] for row in references], [row["intensities"] for row in references]


ROW = {"description": "a", "intensities": [0.5] * 8}


@pytest.mark.parametrize(
    ("predictions", "references", "arguments", "message"),
    [
        (np.zeros((0, 51)), [], {}, "expected at least one reference, got an empty batch"),
        (np.zeros((0, 51)), [ROW], {}, "expected at least one expression, got an empty batch"),
        (np.zeros((2, 51)), [ROW] * 3, {}, "got 2 predictions and 3 references"),
        (np.zeros((3, 50)), [ROW] * 3, {}, "expected 51 or 52 scores in row 0, got 50"),
        ([[0] * 51, [0] * 50 + [np.nan]], [ROW] * 2, {}, "noseSneerRight = nan in row 1"),
        (np.full((1, 51), 1.5), [ROW], {}, "expected scores in 0..1, got browDownLeft = 1.5 in row 0"),
        (np.zeros((1, 51)), [{"description": "a"}], {}, "expected 'intensities' in reference 0, got description"),
        (np.zeros((1, 51)), ["a"], {}, "expected 'description' in reference 0, got str"),
        (np.zeros((1, 51)), {"description": ["a"]}, {}, "expected references with 'intensities', got description"),
        (np.zeros((1, 51)), [ROW | {"description": " "}], {}, "expected a description in row 0, got ' '"),
        (np.zeros((2, 51)), [ROW, ROW | {"intensities": [0] * 8}], {}, "row 1 has eight intensities of 0"),
        (np.zeros((2, 51)), [ROW | {"blendshapes": [0] * 51}, ROW], {}, "reference 1 has none"),
        (np.zeros((2, 51)), [ROW] * 2, {"k": 3}, "expected a bank of at least k = 3 descriptions, got 2"),
        (np.zeros((2, 51)), [ROW] * 2, {"k": 2, "bank": "abc"}, "expected the bank abc, got"),
        (np.zeros((2, 4, 4, 3)), [ROW] * 2, {"k": 1}, "expected a picture (H, W, 3) of uint8 in row 0, got float64"),
        (pictures([0])[..., :1], [ROW], {"k": 1}, "in row 0, got uint8 of shape (1, 1, 1)"),
        (["nowhere.png"], [ROW], {"k": 1}, "cannot read the picture in row 0"),
        ([Image.new("RGB", (4, 4)), Image.new("L", (4, 4))], [ROW] * 2, {"k": 1}, "RGB picture in row 1, got mode L"),
        (
            [Image.new("RGB", (1, 1)), Image.new("RGB", (4, 3))],
            [ROW] * 2,
            {"k": 1},
            "expected pictures of one size, 1 x 1 as in row 0, got 4 x 3 in row 1",
        ),
    ],
)
def test_bad_input_says_what_and_where(predictions, references, arguments, message):
    with pytest.raises(ValueError, match=r"^.*$") as error:
        score(predictions, references, settings=ScoreSettings(**arguments), backbone=anything())
    assert message in str(error.value)


@pytest.mark.parametrize("cut", [0, 20, 200])
def test_a_corrupt_picture_names_its_row(tmp_path, cut):
    Image.effect_noise((64, 64), 50).convert("RGB").save(tmp_path / "good.jpeg")
    (tmp_path / "bad.jpeg").write_bytes((tmp_path / "good.jpeg").read_bytes()[:cut])
    paths = [tmp_path / "good.jpeg", tmp_path / "bad.jpeg"]
    with pytest.raises(ValueError, match="cannot read the picture in row 1: "):
        score(paths, [ROW] * 2, settings=ScoreSettings(k=1), backbone=anything())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"variant": "published"}, "expected a variant of paper, release, got 'published'"),
        ({"space": "pixels"}, "expected a space of 'reading' or 'weights', got 'pixels'"),
        ({"calibration": "raw"}, "expected a calibration method of refine, network, none, got 'raw'"),
        ({"dtype": "float16"}, "expected a dtype of float32 or bfloat16, got 'float16'"),
        ({"k": 0}, "expected k above 0, got 0"),
        ({"epsilon": 0.0}, "expected epsilon above 0, got 0.0"),
        ({"alpha": -1.0}, "expected alpha above 0, got -1.0"),
        ({"n_bootstrap": 0}, "expected n_bootstrap above 0, got 0"),
        ({"confidence": 95}, "expected a confidence between 0 and 1, got 95"),
    ],
)
def test_bad_settings(arguments, message):
    with pytest.raises(ValueError, match=r"^.*$") as error:
        ScoreSettings(**arguments)
    assert str(error.value) == message


def test_a_bank_of_another_backbone_is_refused():
    references, backbone = case(0)
    bank = replace(Bank.encode(*_columns(references), backbone), backbone="other@2")
    with pytest.raises(ValueError, match="expected a bank embedded by fake@1, got one by other@2"):
        score(pictures(range(30)), references, bank=bank, backbone=backbone)


def test_a_data_frame_of_predictions_goes_by_the_names_of_its_columns():
    """Without a backbone: what is scored is what `read_batch` gives."""
    faces = np.random.default_rng(0).random((1, 51)).round(3)
    frame = pd.DataFrame(faces[:, ::-1], columns=[name.upper() for name in BLENDSHAPES[::-1]]).assign(id=7)
    np.testing.assert_allclose(read_batch(frame, [ROW])[0], faces, atol=1e-6)
