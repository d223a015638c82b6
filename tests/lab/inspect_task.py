"""Recorded answers of a language model under inspect-ai; `test_acting.py` runs this where inspect-ai is installed."""

import json
import re

import numpy as np
import pytest
from inspect_ai import eval as evaluate
from inspect_ai.model import ModelOutput, ModelUsage, get_model

from emo3d.blendshapes import BLENDSHAPES
from emo3d.scoring import QUICKSTART, emo3d_score, score
from emo3d_lab.acting import acting
from emo3d_lab.generators.language_model import make_messages

SMILE = '{"mouthSmileLeft": 0.8, "mouthSmileRight": 0.75, "cheekSquintLeft": 0.5, "cheekSquintRight": 0.5}'
FROWN = '{"browDownLeft": 0.9, "browDownRight": 0.9, "mouthPressLeft": 0.4, "mouthPressRight": 0.4}'
PROSE = f"Here is the face you asked for: {SMILE} I hope that it helps!"
ROWS = [("She beams", "happiness"), ("He is livid", "anger"), ("She weeps", "sadness"), ("He gags", "disgust")]
ANSWERS = {  # of each description, in turn
    "She beams": [f"```json\n{SMILE}\n```"],
    "He is livid": ['{"rage": 1}', FROWN],
    "She weeps": ["", "I'm sorry, but I can't help with that.", "I really cannot."],
    "He gags": [PROSE, PROSE, PROSE],
}


@pytest.fixture(scope="module")
def references(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    rows = [{"description": text, "intensities": {emotion: 0.9}} for text, emotion in ROWS]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)


@pytest.fixture(scope="module")
def log(references):
    """Of the task, found by its name, with a model that says what was recorded."""
    waiting = {text: list(answers) for text, answers in ANSWERS.items()}

    def reply(messages, *_):
        answer = waiting[next(message.text for message in messages if message.text in waiting)].pop(0)
        output = ModelOutput.from_content("mockllm/model", answer, "stop" if answer else "content_filter")
        output.usage = ModelUsage()  # else its tokens are counted, with a file that inspect fetches
        return output

    model = get_model("mockllm/model", custom_outputs=reply)
    (log,) = evaluate("emo3d/acting", model=model, task_args={"dataset": references, "k": 2}, display="none")
    assert log.status == "success", log.error
    assert not any(waiting.values())
    return log


def numbers(log):
    return {score.name: {name: metric.value for name, metric in score.metrics.items()} for score in log.results.scores}


def test_the_model_is_asked_as_the_generator_asks(log):
    first, second, *_ = log.samples
    asked = [(message.role, message.text) for message in first.messages[:-1]]
    assert asked == [(message["role"], message["content"]) for message in make_messages("She beams")]
    complaint = "That cannot be used: expected names of the 51 blendshapes, got 'rage'. Answer again, with the JSON"
    assert complaint in second.messages[-2].text
    assert (log.eval.task, log.eval.config.limit) == ("emo3d/acting", None)
    assert log.plan.config.temperature == 0


def test_faces_are_scored_as_emo3d_scores_them(log, references):
    faces = np.zeros((4, 51), np.float32)  # of two answers that cannot be read, the face at rest
    for row, answer in enumerate((SMILE, FROWN)):
        for name, value in json.loads(answer).items():
            faces[row, BLENDSHAPES.index(name)] = value
    rows = [{"description": text, "intensities": {emotion: 0.9}} for text, emotion in ROWS]
    expected = score(faces, rows, backbone=QUICKSTART, k=2)
    values = [sample.scores["face_score"].value for sample in log.samples]
    # The backbone rounds differently where it encodes faces one by one.
    np.testing.assert_allclose(
        [value["kl_divergence"] for value in values], expected.per_sample["kl_divergence"], atol=1e-4
    )
    found = numbers(log)
    assert found["kl_divergence"]["mean"] == pytest.approx(expected.kl_divergence, abs=1e-4)
    assert found["kl_divergence"]["emo3d/score"] == pytest.approx(expected.emo3d, abs=1e-4)
    assert found["recall_at_k"]["mean"] == pytest.approx(expected.recall_at_k)
    assert log.eval.metadata["signature"] == expected.signature


def test_what_cannot_be_read_is_counted(log):
    assert [sample.scores["face_score"].value["unread"] for sample in log.samples] == [0, 0, 1, 1]
    read = numbers(log)["unread"]
    assert read["mean"] == 0.5
    assert read["stderr"] == pytest.approx(np.sqrt(1 / 3) / 2)  # by hand: deviations of a half, n - 1 = 3, n = 4
    refusal, prose = (sample.scores["face_score"] for sample in log.samples[2:])
    assert refusal.answer == "I really cannot."
    assert prose.answer == PROSE
    for unread in (refusal, prose):
        assert re.match("scored as a face at rest: expected JSON", unread.explanation)
    of_read = next(score for score in log.results.scores if score.name == "kl_divergence_of_read")
    assert (of_read.scored_samples, of_read.unscored_samples) == (2, 2)
    values = [sample.scores["face_score"].value["kl_divergence"] for sample in log.samples[:2]]
    assert of_read.metrics["mean"].value == pytest.approx(np.mean(values))


def test_standard_errors_are_those_of_the_mean(log):
    values = [sample.scores["face_score"].value["kl_divergence"] for sample in log.samples]
    error, step = np.std(values, ddof=1) / 2, 1e-4
    slope = (emo3d_score(np.mean(values) + step, 1.0) - emo3d_score(np.mean(values) - step, 1.0)) / (2 * step)
    found = numbers(log)["kl_divergence"]
    assert found["stderr"] == pytest.approx(error)
    assert found["emo3d/score_stderr"] == pytest.approx(slope * error, rel=1e-4)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"k": 5}, ValueError, "expected a bank of at least k = 5 descriptions, got 4"),
        ({"variant": "prose"}, ValueError, "expected a variant"),
        ({"backbone": "nobody/nothing"}, OSError, "nobody/nothing"),
        ({"dataset": "nowhere.csv"}, OSError, "nowhere.csv"),
    ],
)
def test_what_is_wrong_is_said_before_a_model_is_asked(references, settings, error, message):
    with pytest.raises(error, match=re.escape(message)):
        acting(**{"dataset": references, **settings})
