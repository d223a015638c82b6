import json
import os
import signal
import subprocess
import sys

import pytest

from emo3d.judging import Answer, Answers
from emo3d.judging.answers import read_answers

JUDGE = """
import sys
from emo3d.judging import Answer, Answers
answers = Answers(sys.argv[1])
for number in range(100_000):
    answer = Answer("one", str(number), agrees=True)
    answers.add(answer)
    print(answer.id, flush=True)
"""


def test_answers_are_read_again_and_the_last_of_a_task_counts(tmp_path):
    answers = Answers(tmp_path)
    answers.add(Answer("Zoë", "t1", agrees=True, time="2026-01-01T00:00:00+00:00"))
    answers.add(Answer("Zoë", "t1", agrees=False, intensities=[0.0] * 7 + [1.0], time="2026-01-02T00:00:00+00:00"))
    answers.add(Answer("Max", "t1", better="same"))
    for seen in (answers, Answers(tmp_path)):
        by_name = {answer.annotator: answer for answer in seen.all()}
        assert set(by_name) == {"Zoë", "Max"}
        assert by_name["Zoë"].agrees is False
        assert by_name["Zoë"].intensities == [0.0] * 7 + [1.0]
        assert seen.tasks_of("Zoë") == {"t1"}
        assert seen.tasks_of("nobody") == set()


def test_no_confirmed_answer_is_lost_in_a_kill(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", JUDGE, tmp_path], stdout=subprocess.PIPE, text=True)
    confirmed = [process.stdout.readline().strip() for _ in range(20)]
    os.kill(process.pid, signal.SIGKILL)
    confirmed += process.stdout.read().splitlines()
    process.wait()
    kept = [answer.id for answer in read_answers(tmp_path)]
    assert kept[: len(confirmed)] == confirmed
    assert len(kept) - len(confirmed) in (0, 1)  # one may be on disk without its word of confirmation
    Answers(tmp_path).add(Answer("two", "0", agrees=True))
    assert len(list(read_answers(tmp_path))) == len(kept) + 1


def test_a_line_cut_short_is_skipped_with_a_warning(tmp_path, caplog):
    Answers(tmp_path).add(Answer("one", "t1", agrees=True))
    (file,) = tmp_path.glob("*.jsonl")
    file.write_text(file.read_text() + file.read_text()[:40])
    assert len(Answers(tmp_path).all()) == 1
    assert "ends in the middle of an answer" in caplog.text


def test_threads_do_not_mix_lines(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    answers = Answers(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: answers.add(Answer(f"a{number % 7}", f"t{number}", agrees=True)), range(200)))
    assert len(Answers(tmp_path).all()) == 200


@pytest.mark.parametrize(
    ("line", "message"),
    [("[]", "expected an answer in line 2 of"), ('{"annotator": "one"}', "expected an answer in line 2 of")],
)
def test_a_file_of_something_else_is_named(line, message, tmp_path):
    Answers(tmp_path).add(Answer("one", "t1", agrees=True))
    (file,) = tmp_path.glob("*.jsonl")
    file.write_text(file.read_text() + line + "\n")
    with pytest.raises(ValueError, match=message):
        Answers(tmp_path)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"annotator": " ", "agrees": True}, "expected an annotator's name"),
        ({}, "expected an answer to a fit"),
        ({"agrees": True, "better": "same"}, "expected an answer to a fit"),
        ({"better": "left"}, "expected first, second or same, got 'left'"),
        ({"agrees": False, "intensities": [2.0] + [0.0] * 7}, "0..1"),
    ],
)
def test_bad_answers_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Answer(**{"annotator": "one", "task": "t1", **fields})


def test_files_hold_one_json_object_a_line_and_nothing_else_of_a_person(tmp_path):
    Answers(tmp_path).add(Answer("one", "t1", agrees=True, seconds=2.5))
    (file,) = tmp_path.glob("*.jsonl")
    (line,) = file.read_text().splitlines()
    assert set(json.loads(line)) == {
        "annotator", "task", "agrees", "intensities", "better", "seconds", "time", "id"
    }  # fmt: skip
