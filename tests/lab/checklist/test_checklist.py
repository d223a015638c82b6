"""The checklist's pairs, its checks against faces written by hand, and its command."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from datasets import load_dataset
from pyarrow import parquet
from typer.testing import CliRunner

import emo3d_lab.cli.checklist  # noqa: F401, its entry point may be newer than what is installed
from emo3d.blendshapes import BLENDSHAPES, as_expressions
from emo3d.cli import app
from emo3d.emotions import EMOTIONS
from emo3d.parquet import parquet_space
from emo3d_lab.building.build import build
from emo3d_lab.checklist import FAMILIES, Pair, parse_check, read_checklist, run_checklist, write_checklist
from emo3d_lab.checklist.distributions import Distributions, by_score
from emo3d_lab.checklist.pairs import parse_pairs
from emo3d_lab.sample.mock import write_release

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = ROOT / "dataset_script" / "data" / "checklist" / "test.parquet"
PAIRS = read_checklist()

WINK = {"eyeBlinkLeft": 0.9, "cheekSquintLeft": 0.4}
MIRRORED = {"eyeBlinkRight": 0.9, "cheekSquintRight": 0.4}
SMILE = {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.8, "cheekSquintLeft": 0.5, "cheekSquintRight": 0.5}
FROWN = {"mouthFrownLeft": 0.8, "mouthFrownRight": 0.8, "browInnerUp": 0.7, "mouthShrugLower": 0.5}
FAINT = {name: weight / 4 for name, weight in SMILE.items()}
REST: dict[str, float] = {}


def by_corners(emotions=EMOTIONS):
    """Smiles are happiness, corners that point down are sadness, and the rest is neutral; no model is asked."""
    happy, sad = BLENDSHAPES.index("mouthSmileLeft"), BLENDSHAPES.index("mouthFrownLeft")

    def read(weights):
        columns = {
            "happiness": weights[:, happy] / 2,
            "sadness": weights[:, sad] / 2,
            "fear": np.full(len(weights), 0.1),
        }
        shares = np.stack([columns.get(name, np.zeros(len(weights))) for name in emotions], axis=1)
        shares[:, emotions.index("neutral")] = 1 - shares.sum(axis=1)
        return shares

    return Distributions("corners", tuple(emotions), read)


def ask(check, first, second, distributions=None):
    """Whether a check holds for two faces by name, and its number."""
    pair = Pair(
        "id", "parts", "by hand", "first", "second" if parse_check(check).has_second else "", parse_check(check)
    )
    faces = {"first": first, "second": second}
    result = run_checklist(
        lambda texts: as_expressions([{name: faces[text].get(name, 0.0) for name in BLENDSHAPES} for text in texts]),
        [pair],
        distributions=distributions or by_corners(),
    )
    (answer,) = result.answers
    return answer.held, answer.value


def test_there_are_two_thousand_pairs_in_ten_families():
    families = Counter(pair.family for pair in PAIRS)
    assert len(PAIRS) >= 2_000
    assert tuple(families) == FAMILIES
    assert len(FAMILIES) == 10
    assert min(families.values()) >= 150
    assert len({pair.subfamily for pair in PAIRS if pair.family == "languages"}) >= 8


def test_each_pair_is_there_once():
    assert len({pair.id for pair in PAIRS}) == len(PAIRS)
    assert not [key for key, n in Counter((pair.first, pair.check) for pair in PAIRS).items() if n > 1]
    assert not [pair for pair in PAIRS if pair.first == pair.second]


def test_no_sentence_is_left_half_written():
    for text in {text for pair in PAIRS for text in (pair.first, pair.second)}:
        assert not set(text) & set("{}|%"), text
        assert text == " ".join(text.split()), text
        assert len(text) < 200, text


def test_movements_are_asked_of_either_side():
    sides = [pair for pair in PAIRS if pair.family == "sides"]
    asked = {(pair.first, pair.second) for pair in sides}
    for pair in sides:
        assert (pair.second, pair.first) in asked
        assert all("Left" in name or "Right" in name for name in pair.check.names)
        assert "left" in f"{pair.first} {pair.second}".lower()
        assert "right" in f"{pair.first} {pair.second}".lower()


@pytest.mark.parametrize(
    ("check", "first", "second", "value"),
    [
        ("more eyeBlinkLeft", WINK, MIRRORED, 0.9),
        ("more eyeBlinkLeft cheekSquintLeft", WINK, REST, 0.65),
        ("more mouthSmileLeft", {"mouthSmileLeft": 0.5}, {"mouthSmileLeft": 0.39}, 0.11),
        ("strongest happiness", SMILE, None, -0.1),  # 0.4, the 0.1 of fear and the 0.5 of neutral
        ("more-emotion sadness", FROWN, SMILE, 0.4),
        ("more-emotion neutral", REST, SMILE, 0.4),
        ("weaker", FAINT, SMILE, 0.25),
        ("alike", FAINT, SMILE, 1.0),
        ("same", SMILE, {**SMILE, "jawOpen": 0.2}, 0.2 / np.sqrt(2 * 0.8**2 + 2 * 0.5**2 + 0.2**2)),
    ],
)
def test_a_face_that_does_as_told_passes(check, first, second, value):
    held, number = ask(check, first, second or REST)
    assert held
    assert number == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    ("check", "first", "second"),
    [
        ("more eyeBlinkLeft", MIRRORED, WINK),
        ("more eyeBlinkLeft", WINK, WINK),
        ("more mouthSmileLeft", {"mouthSmileLeft": 0.5}, {"mouthSmileLeft": 0.41}),  # less than is seen
        ("strongest happiness", FROWN, REST),
        ("strongest fear", REST, REST),  # the largest share, and that of a face at rest
        ("more-emotion sadness", SMILE, FROWN),
        ("more-emotion happiness", {"mouthSmileLeft": 0.11}, {"mouthSmileLeft": 0.1}),
        ("weaker", SMILE, FAINT),
        ("alike", SMILE, FROWN),
        ("alike", SMILE, {**SMILE, "mouthFrownLeft": 0.9}),  # a cosine of 0.82, and another emotion
        ("same", SMILE, FAINT),
    ],
)
def test_a_face_that_does_otherwise_fails(check, first, second):
    assert ask(check, first, second)[0] is False


def test_a_generator_that_does_nothing_passes_no_comparison():
    result = run_checklist(lambda texts: np.zeros((len(texts), 51)), distributions=by_corners())
    passed = {str(answer.pair.check).split()[0] for answer in result.answers if answer.held}
    assert passed == {"alike", "same"}
    assert len(result.answers) == len(PAIRS)
    assert result.families["sides"].interval[1] < 0.02
    assert result.families["names"].share == 1


def test_the_score_reads_a_smile_and_a_frown():
    distributions = by_score()
    assert ask("strongest happiness", SMILE, REST, distributions)[0]
    assert ask("strongest sadness", SMILE, REST, distributions)[0] is False
    assert ask("more-emotion sadness", FROWN, SMILE, distributions)[0]
    assert distributions.name.startswith("quickstart, k = 10 of the bank ")


def test_an_emotion_that_the_reader_does_not_know_is_left_out():
    seven = tuple(name for name in EMOTIONS if name != "contempt")
    assert ask("strongest contempt", SMILE, REST, by_corners(seven)) == (None, None)
    result = run_checklist(
        lambda texts: np.zeros((len(texts), 51)), read_checklist(["blends"]), distributions=by_corners(seven)
    )
    tally = result.families["blends"]
    of_contempt = sum("contempt" in str(pair.check) for pair in PAIRS if pair.family == "blends")
    assert (tally.left_out, tally.n) == (of_contempt, len(result.answers) - of_contempt)
    assert of_contempt > 0


def test_the_ratio_of_a_tally_is_of_norms():
    pairs = parse_pairs("== weak : weaker\nless {one/two/three} | more {one/two/three}", "intensity")
    faces = {"less one": 0.1, "less two": 0.2, "less three": 0.6, "more one": 0.5, "more two": 0.5, "more three": 0.5}
    result = run_checklist(lambda texts: np.stack([np.full(51, faces[text]) for text in texts]), pairs)
    tally = result.families["intensity"]
    assert (tally.n, tally.passed, tally.median_ratio) == (3, 2, pytest.approx(0.4))
    plain = json.loads(json.dumps(result.to_dict()))
    assert plain["subfamilies"]["intensity/weak"]["passed"] == 2
    assert [row["held"] for row in plain["pairs"]] == [True, True, False]
    assert plain["reader"] == "none"


def test_faces_that_are_neutral_in_the_first_place_are_counted():
    """Corners up by 0.8 are 0.4 happiness beside 0.5 neutral, and by 1 they are 0.5 beside 0.4."""
    pairs = parse_pairs("== happy : strongest happiness\na smile\na broad smile\na frown", "situations")
    faces = {"a smile": SMILE, "a broad smile": {"mouthSmileLeft": 1.0}, "a frown": FROWN}
    result = run_checklist(
        lambda texts: as_expressions([{name: faces[text].get(name, 0.0) for name in BLENDSHAPES} for text in texts]),
        pairs,
        distributions=by_corners(),
    )
    tally = result.families["situations"]
    assert (tally.n, tally.passed, tally.outright) == (3, 2, pytest.approx(1 / 3))


def test_lines_are_expanded():
    text = """
    # a comment
    == wink : more eyeBlinkLeft <> more eyeBlinkRight
    {She/The cook} winks, left. | {She/The cook} winks, right.

    % emotion  word
    % anger    quite cross
    % fear     afraid
    == {emotion} : more-emotion {emotion}
    {word} is {she/he}. | Not {word} is {she/he}.
    """
    rows = [(pair.subfamily, pair.first, pair.second, str(pair.check)) for pair in parse_pairs(text, "negation")]
    assert rows == [
        ("wink", "She winks, left.", "She winks, right.", "more eyeBlinkLeft"),
        ("wink", "She winks, right.", "She winks, left.", "more eyeBlinkRight"),
        ("wink", "The cook winks, left.", "The cook winks, right.", "more eyeBlinkLeft"),
        ("wink", "The cook winks, right.", "The cook winks, left.", "more eyeBlinkRight"),
        ("anger", "Quite cross is she.", "Not quite cross is she.", "more-emotion anger"),
        ("fear", "Afraid is he.", "Not afraid is he.", "more-emotion fear"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one | two", "line 1: expected a heading"),
        ("== wink\none | two", "expected a heading '== subfamily : check', got 'wink'"),
        ("== a : more eyeBlinkLft\none | two", "did you mean 'eyeBlinkLeft'"),
        ("== a : more\none | two", "expected blendshapes after 'more'"),
        ("== a : strongest neutral\none", "expected the check 'strongest' with a name of emotions"),
        ("== a : strongest fear anger\none", "expected one emotion after 'strongest'"),
        ("== a : same fear\none | two", "expected the check 'same' alone"),
        ("== a : louder\none | two", "expected a check of more, strongest"),
        ("== a : same\none", "expected two sentences for the check 'same', got 'one'"),
        ("== a : strongest fear\none | two", "expected one sentence for the check"),
        ("== a : same\none | two\none | two", "line 3: expected each pair once"),
        ("% a  b\n% 1\n", "line 2: expected 2 columns, got 1"),
        ("% a  b\n% 1  2\n== a : same\n{c} | two", "expected columns of a, b, got {c}"),
    ],
)
def test_a_bad_line_is_a_sentence(text, message):
    with pytest.raises(ValueError, match="parts, line ") as caught:
        parse_pairs(text, "parts")
    assert message in str(caught.value)


def test_bad_input_is_a_sentence():
    with pytest.raises(ValueError, match=r"expected families of negation, .*got 'side'.*did you mean 'sides'"):
        read_checklist(["side"])
    with pytest.raises(ValueError, match="expected at least one pair, got none"):
        run_checklist(lambda texts: np.zeros((len(texts), 51)), [])
    pairs = read_checklist(["parts"])
    texts = {text for pair in pairs for text in (pair.first, pair.second)}
    with pytest.raises(ValueError, match=f"expected {len(texts)} expressions, one per description, got 3"):
        run_checklist(lambda texts: np.zeros((3, 51)), pairs)


def test_the_dataset_ships_the_pairs_of_today():
    rows = parquet.read_table(SHIPPED).to_pylist()
    assert rows == [{**vars(pair), "check": str(pair.check)} for pair in PAIRS]
    assert SHIPPED.stat().st_size < 200_000
    assert parquet_space(SHIPPED) is None


def test_load_dataset(tmp_path):
    data = load_dataset(str(ROOT / "dataset_script"), "checklist", cache_dir=str(tmp_path))
    assert data["test"].num_rows == len(PAIRS)
    assert data["test"][0]["id"] == PAIRS[0].id


def test_build_writes_it_too(tmp_path):
    report = build(write_release(tmp_path / "release", rows=10), tmp_path / "out", configs=["checklist"])
    assert report["splits"]["checklist"]["test"]["rows"] == len(PAIRS)
    data = load_dataset(str(tmp_path / "out"), "checklist", split="test", cache_dir=str(tmp_path / "cache"))
    assert data["first"] == [pair.first for pair in PAIRS]


def invoke(*arguments):
    return CliRunner().invoke(app, ["checklist", *map(str, arguments)])


def test_the_command_takes_predictions(tmp_path):
    """Of an oracle that knows one movement: of `sides`, it holds the pairs of closed eyes, and no other."""
    import pyarrow as pa

    pairs = read_checklist(["sides"])
    closed = {pair.first: pair.check.names for pair in pairs if pair.subfamily == "eye closed"}
    texts = list(dict.fromkeys(pair.first for pair in pairs))
    weights = [[1.0 if name in closed.get(text, ()) else 0.0 for name in BLENDSHAPES] for text in texts]
    parquet.write_table(pa.table({"description": texts, "blendshapes": weights}), tmp_path / "mine.parquet")
    output = tmp_path / "result.json"
    done = invoke("--predictions", tmp_path / "mine.parquet", "--families", "sides", "--output", output, "--failures")
    assert done.exit_code == 0, done.output
    plain = json.loads(output.read_text())
    parts = {name: (tally["n"], tally["passed"]) for name, tally in plain["subfamilies"].items()}
    assert parts.pop("sides/eye closed") == (len(closed), len(closed))
    assert {passed for _, passed in parts.values()} == {0}
    assert plain["families"]["sides"]["n"] == len(pairs)
    printed = {line.split()[0] for line in done.output.splitlines() if line.startswith("sides-")}
    assert printed == {row["id"] for row in plain["pairs"] if not row["held"]}
    part = invoke("--predictions", tmp_path / "mine.parquet", "--families", "parts")
    assert isinstance(part.exception, ValueError)
    assert "mine.parquet has no row for" in str(part.exception)


def test_the_command_writes_the_pairs(tmp_path):
    done = invoke("--write", tmp_path / "checklist.parquet")
    assert done.exit_code == 0, done.output
    assert parquet.read_table(tmp_path / "checklist.parquet").equals(parquet.read_table(SHIPPED))
    write_checklist(tmp_path / "again.parquet", PAIRS)
    assert (tmp_path / "again.parquet").read_bytes() == (tmp_path / "checklist.parquet").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--families", "sidez"], "did you mean 'sides'"),
        (["--output", "result.csv"], "expected a file of .json, got result.csv"),
        (["--write", "pairs.json"], "expected a file of .parquet, got pairs.json"),
        (["--families", "blends", "--reader", "nowhere"], "nowhere"),
    ],
)
def test_mistakes_are_one_sentence(arguments, message):
    done = invoke(*arguments)
    assert isinstance(done.exception, (ValueError, OSError))
    assert message in str(done.exception)
