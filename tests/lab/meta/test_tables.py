"""Tables of judgements and metric values, and what is wrong with them."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from emo3d_lab.meta import read_judgements, read_metrics

PAIRS = "item,judge,system_a,system_b,preferred\n"
RATINGS = "item,judge,system,rating\n"


def write(folder, text, name="judgements.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_is_the_same_in_all_formats(tmp_path):
    rows = [
        {"item": "7", "judge": "ann", "system_a": "y", "system_b": "x", "preferred": "a"},
        {"item": "8", "judge": "bob", "system_a": "x", "system_b": "y", "preferred": "same"},
        {"item": "8", "judge": "ann", "system_a": "x", "system_b": "z", "preferred": "b"},
    ]
    write(tmp_path, PAIRS + "".join(",".join(row.values()) + "\n" for row in rows), "j.csv")
    write(tmp_path, "".join(json.dumps(row | {"item": int(row["item"])}) + "\n" for row in rows), "j.jsonl")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "j.parquet")
    for name in ("j.csv", "j.jsonl", "j.parquet"):
        judgements = read_judgements(tmp_path / name)
        assert judgements.are_pairs
        assert (judgements.items, judgements.systems, judgements.judges) == (
            ("7", "8"),
            ("x", "y", "z"),
            ("ann", "bob"),
        )
        assert judgements.item.tolist() == [0, 1, 1]
        assert judgements.first.tolist() == [1, 0, 0]
        assert judgements.second.tolist() == [0, 1, 2]
        assert judgements.value.tolist() == [1, 0, -1]


def test_the_last_answer_counts_whichever_side_a_system_is_on(tmp_path):
    rows = ["1,ann,x,y,a,2026-01-02", "1,ann,y,x,a,2026-01-01", "2,ann,x,y,same,2026-01-03"]
    judgements = read_judgements(write(tmp_path, PAIRS.strip() + ",time\n" + "\n".join(rows)))
    assert judgements.value.tolist() == [1, 0]  # of item 1 the first row is the later one
    assert "1 answers were given again" in judgements.notes[0]
    judgements = read_judgements(write(tmp_path, PAIRS + "\n".join(row[:-11] for row in rows)))
    assert (judgements.first.tolist()[0], judgements.value.tolist()[0]) == (1, 1)  # without times, the last row


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        ("999.5", "1000.5"),
        ("2026-01-01T12:00:00+02:00", "2026-01-01T11:00:00+00:00"),  # 10:00 and 11:00 UTC
        ("2026-01-01T12:00:00+02:00", "2026-01-01T10:30:00Z"),
        ("2026-01-01T09:00", "2026-01-01T09:00:01"),
    ],
)
def test_times_are_not_compared_as_text(tmp_path, earlier, later):
    head = PAIRS.strip() + ",time\n"
    for rows in (
        (f"1,ann,x,y,a,{earlier}", f"1,ann,x,y,b,{later}"),
        (f"1,ann,x,y,b,{later}", f"1,ann,x,y,a,{earlier}"),
    ):
        assert read_judgements(write(tmp_path, head + "\n".join(rows))).value.tolist() == [-1]


@pytest.mark.parametrize(
    ("times", "message"),
    [
        (("2026-01-01T09:00", "yesterday"), "row 2: expected a number or an ISO 8601 time as time, got 'yesterday'"),
        (("2026-01-01T09:00", "2026-01-01T09:00Z"), "row 2: expected a time without an offset, as in .* row 1"),
        (("2026-01-01T09:00", "17"), "row 2: expected a time without an offset, as in .*, got a number: '17'"),
        (("nan", "17"), "row 1: expected a number or an ISO 8601 time as time, got 'nan'"),
    ],
)
def test_times_that_have_no_order_are_named(tmp_path, times, message):
    rows = [f"1,ann,x,y,a,{time}" for time in times]
    with pytest.raises(ValueError, match=message):
        read_judgements(write(tmp_path, PAIRS.strip() + ",time\n" + "\n".join(rows)))


def test_a_check_that_is_not_marked_exempts_nobody(tmp_path):
    rows = ["1,ann,x,y,a,,", "c,ann,joy,joy,a,true,"]
    path = write(tmp_path, PAIRS.strip() + ",attention,passed\n" + "\n".join(rows))
    assert read_judgements(path).checks == {"ann": (-1, 1)}
    with pytest.raises(ValueError, match="row 2: expected passed true or false of an attention check, got nothing"):
        read_judgements(path, least_passed=0.5)
    for share in (1.5, -0.1, float("nan")):
        with pytest.raises(ValueError, match=r"expected a share of attention checks .* from 0 to 1, got"):
            read_judgements(path, least_passed=share)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"expected the table of judgements in .*none.csv, got no such file"):
        read_judgements(tmp_path / "none.csv")


def test_attention_checks_are_counted_apart(tmp_path):
    head = PAIRS.strip() + ",attention,passed\n"
    rows = ["1,ann,x,y,a,,", "c,ann,joy,joy,a,true,true", "1,bob,x,y,b,false,", "c,bob,joy,fear,b,true,false"]
    path = write(tmp_path, head + "\n".join(rows))
    judgements = read_judgements(path)
    assert len(judgements) == 2
    assert judgements.checks == {"ann": (1, 1), "bob": (0, 1)}
    strict = read_judgements(path, least_passed=0.5)
    assert strict.judges == ("ann",)
    assert any("1 judges failed attention checks and are left out: bob" in note for note in strict.notes)


def test_machines_do_not_count_among_people(tmp_path):
    path = write(tmp_path, PAIRS.strip() + ",kind\n1,ann,x,y,a,person\n1,gpt,x,y,b,machine\n")
    assert read_judgements(path).judges == ("ann",)
    assert read_judgements(path, kind="machine").judges == ("gpt",)
    assert read_judgements(path, kind="all").judges == ("ann", "gpt")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "judgements.csv: expected a table of judgements, got an empty file"),
        ("\0\1", "expected a table of judgements with a column 'item', got"),
        (RATINGS + "1,ann,x,1_000\n", "row 1: expected a number as rating, got '1_000'"),
        (PAIRS, "expected rows, got none"),
        ("item,judge\n1,ann\n", "row 1: expected either preferred or rating, got neither"),
        (PAIRS + "1,ann,x,x,a\n", "row 1: expected two systems, got 'x' against itself"),
        (PAIRS + "1,ann,x,y,b\n1,bob,x,y,left\n", "row 2: expected preferred a, b or same, got 'left'"),
        (PAIRS + "1,ann,,y,b\n", "row 1: expected a system_a, got nothing"),
        (PAIRS + ",ann,x,y,b\n", "row 1: expected item, got nothing"),
        (RATINGS + "1,ann,x,good\n", "row 1: expected a number as rating, got 'good'"),
        (RATINGS + "1,ann,x,nan\n", "row 1: expected a finite number as rating"),
        ("item,judge,rating\n1,ann,3\n", "system is missing"),
        (PAIRS.strip() + ",kind\n1,ann,x,y,a,robot\n", "expected kind person or machine, got 'robot'"),
        (PAIRS.strip() + ",attention\n1,ann,x,y,a,maybe\n", "expected attention true or false, got 'maybe'"),
        (PAIRS.strip() + ",attention\n1,ann,x,y,a,true\n", "expected judgements, got none among 1 rows"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_judgements(write(tmp_path, text))


def test_either_kind_of_row_can_be_used(tmp_path):
    text = "item,judge,system_a,system_b,preferred,system,rating\n1,ann,x,y,a,,\n1,ann,,,,x,3\n"
    for use in ("pairs", None):
        pairs = read_judgements(write(tmp_path, text), use=use)
        assert pairs.are_pairs
        assert pairs.notes == ("1 ratings are left out: --use ratings measures those.",)
    ratings = read_judgements(write(tmp_path, text), use="ratings")
    assert ratings.value.tolist() == [3]
    assert ratings.notes == ("1 pairs are left out: --use pairs measures those.",)


def test_directions_are_known_or_told(tmp_path):
    path = write(tmp_path, "item,system,emo3d,face-api top1,mine\n1,x,0.2,1,5\n1,y,0.3,0,\n", "values.csv")
    metrics = read_metrics([path], lower=["mine"])
    assert metrics.higher == {"emo3d": False, "face-api top1": True, "mine": False}
    np.testing.assert_array_equal(metrics.values["mine"], [[5, np.nan]])
    with pytest.raises(ValueError, match="expected to be told whether more 'mine' is better"):
        read_metrics([path])
    with pytest.raises(ValueError, match="expected one of the metrics emo3d, face-api top1, mine, got 'yours'"):
        read_metrics([path], higher=["yours"])
    with pytest.raises(ValueError, match="each metric in one table, got 'emo3d' again"):
        read_metrics([path, path], lower=["mine"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item,system\n1,x\n", "expected a column of numbers"),
        ("item,system,mse\n1,x,1\n1,y,2\n1,x,1\n", "row 3: expected each item and system once"),
        ("item,system,mse\n1,x,low\n", "row 1: expected a number as mse, got 'low'"),
        ("item,system,mse\n1,x,inf\n", "row 1: expected a finite number as mse"),
        ("item,system,mse\n1,x,1e300\n", "row 1: expected a finite number as mse, up to 1e100, got '1e300'"),
    ],
)
def test_what_is_wrong_with_values_is_named(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_metrics([write(tmp_path, text, "values.csv")])
