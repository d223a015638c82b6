import json
import signal
import time
from dataclasses import asdict

import pytest

import commands
from emo3d_lab.judging.answers import Answer, Answers, read_answers
from hanging import HANGS, wait_until

JUDGE = """
import sys
from emo3d_lab.judging.answers import Answer, Answers
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
        by_name = {answer.annotator: answer for answer in seen.latest()}
        assert set(by_name) == {"Zoë", "Max"}
        assert by_name["Zoë"].agrees is False
        assert by_name["Zoë"].intensities == [0.0] * 7 + [1.0]
        assert seen.tasks_of("Zoë") == {"t1"}
        assert seen.tasks_of("nobody") == set()


def test_no_confirmed_answer_is_lost_in_a_kill(tmp_path):
    log, folder = tmp_path / "log", tmp_path / "answers"
    process = commands.Started(JUDGE, folder, out=log)
    wait_until(lambda: log.read_text().count("\n") >= 20, process, log)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    confirmed = log.read_text().splitlines()
    kept = [answer.id for answer in read_answers(folder)]
    assert kept[: len(confirmed)] == confirmed
    assert len(kept) - len(confirmed) in (0, 1)  # one may be on disk without its word of confirmation
    Answers(folder).add(Answer("two", "0", agrees=True))
    assert len(list(read_answers(folder))) == len(kept) + 1


def test_a_line_cut_short_is_skipped_with_a_warning(tmp_path, caplog):
    Answers(tmp_path).add(Answer("one", "t1", agrees=True))
    (file,) = tmp_path.glob("*.jsonl")
    file.write_text(file.read_text() + file.read_text()[:40])
    assert len(Answers(tmp_path).latest()) == 1
    assert "ends in the middle of an answer" in caplog.text


def test_threads_do_not_mix_lines(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    answers = Answers(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: answers.add(Answer(f"a{number % 7}", f"t{number}", agrees=True)), range(200)))
    assert len(Answers(tmp_path).latest()) == 200


def test_the_last_answer_counts_whatever_the_clock_says(tmp_path, monkeypatch):
    """Forty tasks, answered twice within a second, the second time by a clock that was set back by two seconds."""
    real = time.time_ns
    for attempt, behind in ((True, 0), (False, 2)):
        monkeypatch.setattr("emo3d_lab.judging.answers.time.time_ns", lambda behind=behind: real() - behind * 10**9)
        answers = Answers(tmp_path)  # a process each
        for task in range(40):
            when = "2026-01-01T00:00:00+00:00" if attempt else "2025-12-31T23:59:58+00:00"
            answers.add(Answer("one", str(task), agrees=attempt, time=when))
    for seen in (answers, Answers(tmp_path)):
        assert [answer.agrees for answer in seen.latest()] == [False] * 40


def test_the_order_in_a_file_without_sequences_is_that_of_its_lines(tmp_path):
    """As versions before 2026-12 wrote them: two within a second, then a clock that was set back."""
    times = ["2026-01-01T00:00:09+00:00", "2026-01-01T00:00:09+00:00", "2026-01-01T00:00:07+00:00"]
    for name in ("b", "a"):
        lines = [asdict(Answer(name, "t", better=better, time=time)) for better, time in zip(SIDES, times, strict=True)]
        for line in lines:
            del line["sequence"], line["swapped"], line["withdrawn"]
        (tmp_path / f"answers-{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    later = json.dumps(asdict(Answer("a", "t", agrees=True, time="2026-01-01T00:00:08+00:00")))
    (tmp_path / "answers-0.jsonl").write_text(later + "\n")  # a second earlier than the last of the other file
    assert {answer.annotator: answer.better for answer in Answers(tmp_path).latest()} == {"a": "same", "b": "same"}


SIDES = ("first", "second", "same")

FILL = """
import sys
from emo3d_lab.judging.answers import Answer, Answers
answers, kept = Answers(sys.argv[1]), 0
for number in range(1000):
    try:
        answers.add(Answer("one", str(number), agrees=True))
    except OSError as error:
        print(kept, error)
        break
    kept += 1
"""


def test_a_full_disk_loses_no_confirmed_answer_and_refuses_no_folder(small_disk, tmp_path):
    disk, log = small_disk(64), tmp_path / "log"
    assert commands.Started(FILL, disk, out=log).wait(HANGS) == 0, log.read_text()
    kept, _, message = log.read_text().partition(" ")
    assert message == f"the answer could not be kept in {disk}: No space left on device\n"
    assert 50 < int(kept) < 1000
    assert len(list(read_answers(disk))) == int(kept)
    answers = Answers(disk)
    with pytest.raises(OSError, match="could not be kept"):
        answers.add(Answer("two", "0", agrees=True))
    file = max(disk.glob("*.jsonl"), key=lambda path: path.stat().st_size)
    content = file.read_bytes()
    assert content.endswith(b"}\n")  # nothing of the answer that found no room
    file.write_bytes(content[:4000].rpartition(b"\n")[0] + b"\n")
    answers.add(Answer("two", "0", agrees=True))  # there is room again
    assert Answers(disk).tasks_of("two") == {"0"}


def test_a_torn_line_is_set_aside_and_the_answer_glued_to_it_is_read(tmp_path, caplog):
    """What version 0.9 left after a full disk: a confirmed answer behind the beginning of one that was not."""
    first, glued, last = (json.dumps(asdict(Answer("one", f"t{n}", agrees=True))) for n in range(3))
    (tmp_path / "answers-a.jsonl").write_text(f"{first}\n{last[:60]}{glued}\n{first[:90]}\n{last}\n")
    assert Answers(tmp_path).tasks_of("one") == {"t0", "t1", "t2"}
    assert "line 2 of answers-a.jsonl was cut short, and is set aside" in caplog.text
    assert "line 3 of answers-a.jsonl was cut short, and is set aside" in caplog.text


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
        ({"agrees": True, "withdrawn": True}, "expected an answer to a fit"),
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
        "annotator", "task", "agrees", "intensities", "better", "seconds", "time", "id", "sequence",
        "swapped", "withdrawn",
    }  # fmt: skip


def test_who_asks_for_it_is_deleted(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    other_process = Answers(here)
    other_process.add(Answer("Zoë", "t1", agrees=True))
    other_process.add(Answer("Max", "t1", agrees=True))
    there.mkdir()
    for file in here.glob("*.jsonl"):  # a copy, as a dataset on the Hub has it
        (there / file.name).write_bytes(file.read_bytes())
    answers = Answers(here)
    answers.add(Answer("Zoë", "t2", agrees=True))
    assert answers.withdraw("Zoë") == 2
    lines = [json.loads(line) for path in here.glob("*.jsonl") for line in path.read_text().splitlines()]
    assert [
        (line["annotator"], line["task"], line["withdrawn"])
        for line in sorted(lines, key=lambda line: line["sequence"])
    ] == [
        ("Max", "t1", False),
        ("Zoë", "", True),
    ]
    for file in here.glob("*.jsonl"):  # the wish is stronger than the copy
        if not (there / file.name).exists():
            (there / file.name).write_bytes(file.read_bytes())
    for seen in (answers, Answers(here), Answers(there)):
        assert [(answer.annotator, answer.task) for answer in seen.latest()] == [("Max", "t1")]
    answers.add(Answer("Zoë", "t1", agrees=False))  # who comes back begins anew
    other_process.add(Answer("Max", "t2", agrees=True))
    assert {(answer.annotator, answer.task) for answer in Answers(here).latest()} == {
        ("Max", "t1"),
        ("Max", "t2"),
        ("Zoë", "t1"),
    }


DELETE = """
import sys
from emo3d_lab.judging.answers import Answer, Answers
answers = Answers(sys.argv[1])
for number in range(100_000):
    answers.add(Answer("one", str(number), agrees=True))
    answers.add(Answer("two", str(number), agrees=True))
    if number % 5 == 4:
        answers.withdraw("one")
    print(number, flush=True)
"""


def test_a_kill_while_answers_are_deleted_loses_none_of_others(tmp_path):
    log, folder = tmp_path / "log", tmp_path / "answers"
    process = commands.Started(DELETE, folder, out=log)
    wait_until(lambda: log.read_text().count("\n") >= 30, process, log)
    process.kill()
    process.wait()
    confirmed = log.read_text().split("\n")[:-1]
    answers = Answers(folder)
    assert answers.tasks_of("two") >= set(confirmed)
    last = int(confirmed[-1])
    assert answers.tasks_of("one") <= {str(number) for number in range(last - last % 5 - 5, last + 2)}
