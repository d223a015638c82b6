"""Results that contradict themselves are refused when they are opened; what a result prints, by hand."""

import json
from dataclasses import replace
from math import log

import numpy as np
import pytest

from emo3d.scoring import Emo3DResult, ScoreSettings, read_references, score
from emo3d.scoring.references import row_digests
from emo3d.scoring.result import summarise
from emo3d_lab.comparison import compare

RNG = np.random.default_rng(0)
REFERENCES = [
    {"description": f"face {row}", "intensities": RNG.random(8), "blendshapes": RNG.random(51)} for row in range(12)
]


def made(references=REFERENCES, seed=0, **columns):
    described, rng, n = read_references(references), np.random.default_rng(seed), len(references)
    per_sample = {"kl_divergence": rng.random(n), "distribution": np.eye(8)[rng.integers(8, size=n)]}
    per_sample |= {"reference": described.ranks, "match": rng.random(n) < 0.5, "mse": rng.random(n) / 9}
    amplitude = np.where(np.arange(n) == 4, np.nan, 2 * rng.random(n))  # one reference is weak
    per_sample |= {"mae": rng.random(n) / 3, "amplitude": amplitude, **columns}
    settings = ScoreSettings(n_bootstrap=50, bank="0123456789ab")
    return summarise(per_sample, described, settings, settings.signature, 0, row_digests(described))


def changed(*path, to):
    plain = made().to_dict(per_sample=True)
    holder = plain
    for key in path[:-1]:
        holder = holder[key]
    if callable(to):
        to = to(holder[path[-1]])
    holder[path[-1]] = to
    return plain


def test_a_whole_result_comes_back(tmp_path):
    made().save(tmp_path / "a.json")
    assert Emo3DResult.load(tmp_path / "a.json").to_dict(per_sample=True) == made().to_dict(per_sample=True)
    older = made().to_dict()
    del older["reference_expressions"], older["amplitude"], older["intervals"]["amplitude"]
    assert Emo3DResult.from_dict(older).reference_expressions is None
    older = made().to_dict(per_sample=True)
    del older["amplitude"], older["intervals"]["amplitude"], older["per_sample"]["amplitude"]
    (tmp_path / "older.json").write_text(json.dumps(older))
    earlier = Emo3DResult.load(tmp_path / "older.json")
    assert (earlier.amplitude, earlier.mse) == (None, made().mse)
    assert compare(made(seed=1), earlier).amplitudes is None
    older = made().to_dict() | {"reference_expressions": None}
    with pytest.raises(ValueError, match="expected per-sample values in both results, the second has none"):
        compare(made(), Emo3DResult.from_dict(older))


@pytest.mark.parametrize(
    ("plain", "message"),
    [
        (changed("emo3d", to=-1), "expected emo3d in 0..1, got -1"),
        (changed("emo3d", to=float("nan")), "expected a finite emo3d, got nan"),
        (changed("emo3d", to=0.1), "expected emo3d as kl_divergence and alpha give it"),
        (changed("kl_divergence", to=True), "expected 'kl_divergence' as a result has it, got True"),
        (changed("kl_divergence", to=float("inf")), "expected a finite kl_divergence, got inf"),
        (changed("recall_at_k", to=0.99), "expected recall_at_k as the mean of its per-sample values"),
        (changed("recall_at_k", to=None), "expected intervals of numbers that are there, got one of 'recall_at_k'"),
        (changed("mse", to=0.5), "expected mse as the mean of its per-sample values"),
        (changed("n", to=11), "expected groups of 11 faces in per_emotion, got 12"),
        (changed("n", to=0), "expected n of at least 1"),
        (changed("truncated", to=-1), "truncated of at least 0"),
        (changed("references", to="abc"), "expected references as a hash of 12 hexadecimal digits, got 'abc'"),
        (changed("reference_expressions", to="x" * 12), "expected reference_expressions as a hash"),
        (changed("signature", to=lambda s: s.replace("alpha:1.0", "alpha:-1")), "expected an alpha above 0"),
        (changed("signature", to="a\nb"), "expected a signature of one printable line"),
        (
            changed("intervals", "mse", to=[0.5, 0.1]),
            "expected an interval from a lower to an upper end, got 0.5 to 0.1",
        ),
        (
            changed("intervals", "emo3d", to=[0.1, 0.9]),
            "expected the interval of emo3d as kl_divergence and alpha give",
        ),
        (changed("per_emotion", to={}), "expected groups of 12 faces in per_emotion, got 0"),
        (changed("per_band", "0.8-1.0", "kl_divergence", to=0.9), "0.8-1.0 in per_band"),
        (changed("per_emotion", to=lambda t: {"joy": next(iter(t.values()))}), "got 'joy'"),
        (changed("per_sample", "kl_divergence", to=lambda v: v[:-1]), "kl_divergence of shape (12,), got (11,)"),
        (changed("per_sample", "kl_divergence", to=lambda v: [x / 2 for x in v]), "kl_divergence as the mean of its"),
        (changed("per_sample", "distribution", to=lambda v: [[0.5] * 8] * 12), "distributions that sum to 1"),
        (changed("per_sample", "reference", to=[0] * 11 + [2]), "as places from 0 on, none left out"),
        (changed("per_sample", "mse", to=["x"] * 12), "expected finite numbers as per-sample values of mse"),
        (changed("amplitude", to=0.4), "expected amplitude as the median of its per-sample values"),
        (changed("amplitude", to=-0.1), "expected amplitude in 0..7.14, got -0.1"),
        (changed("amplitude", to=True), "expected 'amplitude' as a result has it, got True"),
        (changed("amplitude", to=None), "expected intervals of numbers that are there, got one of 'amplitude'"),
        (
            changed("per_sample", "amplitude", to=[None] * 12),
            "expected amplitude and per-sample values of amplitude, or neither of them",
        ),
        (changed("per_sample", "amplitude", to=["1"] * 12), "finite numbers as per-sample values of amplitude"),
        (changed("per_sample", "amplitude", to=[9.0] * 12), "expected per-sample values of amplitude in 0..7.14"),
        (changed("per_sample", "mae", to=[None] * 12), "expected finite numbers as per-sample values of mae"),
        (changed("per_sample", "match", to=lambda v: [3 * x for x in v]), "per-sample values of match in 0..1"),
        (
            changed("per_sample", to=lambda v: {"kl_divergence": v["kl_divergence"]}),
            "per-sample values of distribution",
        ),
    ],
)
def test_contradictions(plain, message):
    with pytest.raises(ValueError, match=r"^expected") as error:
        Emo3DResult.from_dict(plain)
    assert message in str(error.value)


def test_numbers_that_json_does_not_have(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(changed("emo3d", to=float("nan"))))
    with pytest.raises(ValueError, match=r"a.json: expected numbers as JSON has them, got NaN"):
        Emo3DResult.load(tmp_path / "a.json")


def test_errors_against_other_reference_expressions_are_not_compared():
    other = [row | {"blendshapes": row["blendshapes"] / 2} for row in REFERENCES]
    a, b = made(seed=1), made(other, seed=2)
    assert a.references == b.references
    found = compare(a, b)
    assert list(found.differences) == ["emo3d", "kl_divergence", "recall_at_k"]
    assert found.left_out.startswith(
        "no mse, mae and amplitude: the references' expressions are not known to be the same"
    )
    assert a.reference_expressions in found.left_out
    assert "mse" in compare(a, made(seed=2)).differences
    assert found.amplitudes is None
    same = compare(a, made(seed=2))
    assert same.left_out is None
    assert same.amplitudes == (a.amplitude, made(seed=2).amplitude)
    assert "amplitude" not in same.differences  # a median is shown, and not tested
    older = replace(made(seed=2), reference_expressions=None)
    assert "mse" not in compare(a, older).differences


def test_the_hash_of_expressions_is_that_of_any_order_and_split(clip_folder):
    settings = ScoreSettings(backbone=clip_folder, k=2, n_bootstrap=10)
    faces = np.zeros((12, 51))
    whole = score(faces, REFERENCES, settings=settings).reference_expressions
    assert whole == score(faces, REFERENCES[::-1], settings=settings).reference_expressions
    assert whole == score(faces + 0.5, REFERENCES, settings=settings).reference_expressions
    swapped = [
        row | {"blendshapes": other["blendshapes"]} for row, other in zip(REFERENCES, REFERENCES[::-1], strict=True)
    ]
    assert whole != score(faces, swapped, settings=settings).reference_expressions
    readings = read_references(REFERENCES, "reading")
    in_readings = score(faces, readings, settings=replace(settings, space="reading", calibration="none"))
    assert in_readings.reference_expressions not in (None, whole)
    assert score(faces, readings, settings=settings).reference_expressions is None  # another space: not compared


def test_a_line_and_a_row_by_hand():
    """1 / (1 + exp(-0.5)) = 0.6225; its ends ln(0.6 / 0.4) = 0.405 and ln(0.65 / 0.35) = 0.619."""
    ends = {"emo3d": (0.6, 0.65), "kl_divergence": (log(0.6 / 0.4), log(0.65 / 0.35)), "mse": (0.03, 0.04)}
    result = Emo3DResult(
        emo3d=0.6224593312,
        kl_divergence=0.5,
        recall_at_k=0.25,
        mse=0.03125,
        mae=None,
        intervals=ends,
        per_emotion={},
        per_band={},
        per_sample={},
        n=250,
        truncated=0,
        references="0123456789ab",
        signature="variant:paper|k:10|alpha:1.0",
    )
    line = (
        "Emo3D 0.622 [0.600, 0.650], KL 0.500 [0.405, 0.619], recall@10 0.250, MSE 0.0312 [0.0300, 0.0400], n=250 | "
        "references:0123456789ab|variant:paper|k:10|alpha:1.0"
    )
    assert str(result) == line
    assert repr(result) == "Emo3DResult(emo3d=0.6225, kl_divergence=0.5000, n=250, references='0123456789ab')"
    assert result.to_latex("my_model & 50%") == (
        r"my\_model \& 50\% & $0.622$ $[0.600, 0.650]$ & $0.500$ $[0.405, 0.619]$ & $0.250$ & "
        r"$0.0312$ $[0.0300, 0.0400]$ & 250 \\"
    )
    assert "MSE 0.0312 [0.0300, 0.0400], amplitude 0.641, n=250" in str(replace(result, amplitude=0.6412))
    assert replace(result, amplitude=0.6412).to_latex("x") == result.to_latex("x")
    assert replace(result, mse=None, kl_divergence=-0.01, intervals={}).to_latex("{x}") == (
        r"\{x\} & $0.622$ & $-0.010$ & $0.250$ & -- & 250 \\"
    )
