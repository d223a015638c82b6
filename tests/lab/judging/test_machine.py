"""A vision-language model as a judge: recorded answers, a client on a server, transformers' pipeline."""

import csv
import json
import re

import numpy as np
import pytest
from huggingface_hub import InferenceClient
from small_studies import sample_study
from typer.testing import CliRunner

from chat_server import answering, online  # noqa: F401
from emo3d.cli import app
from emo3d.pictures import encode_picture
from emo3d_lab.judging.machine import (
    MachineJudge,
    Pair,
    Verdicts,
    judge_pairs,
    make_question,
    parse_choice,
    study_pairs,
)
from emo3d_lab.meta import read_judgements

BLACK, WHITE = (encode_picture(np.full((28, 28, 3), value, np.uint8)) for value in (0, 255))


def pair(item="1", **options):
    return Pair(item, "She beams", ("ours", "theirs"), (BLACK, WHITE), **options)


class Recorded:
    """A model that gives recorded answers in turn, and keeps what it was asked."""

    def __init__(self, *answers):
        self.answers, self.chats = list(answers), []

    def __call__(self, messages):
        self.chats.append(messages)
        return self.answers.pop(0)


def recorded(*answers, **options):
    return MachineJudge(Recorded(*answers), "org/eyes", **options)


# Answers


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("A", "a"),
        (" b\n", "b"),
        ("Same", "same"),
        ('{"better": "A"}', "a"),
        ('```json\n{"better": "same"}\n```', "same"),
        ('<think>A smiles, B does not.</think>\n{"better": "B"}', "b"),
    ],
)
def test_answers_are_read(text, choice):
    assert parse_choice(text) == choice


@pytest.mark.parametrize(
    "text",
    [
        *("", "A.", "A or B", "Picture A", "both", "1", "The answer is A", "I cannot judge faces."),
        *('{"better": "C"}', '{"better": 1}', '{"better": null}', '{"face": "A"}', '{"better": "A", "sure": true}'),
        *('["A"]', '"A"', '{"better": "A"', '{"better": ["A"]}', "<think>A", "{}"),
    ],
)
def test_other_answers_are_refused(text):
    with pytest.raises(ValueError, match=r"^expected (A, B or same, alone|JSON)"):
        parse_choice(text)


def test_a_bad_answer_is_told_and_asked_again():
    judge = recorded("Both are nice.", "B", "A")
    assert judge.judge(pair()).orders == ("b", "b")
    first, second, _ = judge.chat_model.chats
    assert second[: len(first)] == first
    assert second[-2] == {"role": "assistant", "content": "Both are nice."}
    assert second[-1]["content"] == (
        'That cannot be used: expected A, B or same, alone or as {"better": "A"}, got \'Both are nice.\'. '
        "Answer again, with A, B or same only."
    )


def test_what_is_refused_is_no_judgement_and_is_shown():
    judge = recorded("A", "B", "A", "I do not judge people.", retries=0)
    verdicts = judge_pairs([pair("1"), pair("2")], judge)
    assert [row["item"] for row in verdicts.rows()] == ["1"]
    (problem,) = verdicts.problems
    assert problem.startswith("ours or theirs for 'She beams': expected A, B or same")
    assert problem.endswith("answer 1 of org/eyes: 'I do not judge people.'")
    assert f"no judgement of 1 pairs, whose answers could not be used:\n  {problem}" in str(verdicts)


def test_a_judge_that_answers_nothing_is_an_error():
    with pytest.raises(ValueError, match=r"^no answer of org/eyes@unknown could be used; the first: .*: 'No\.'$"):
        judge_pairs([pair()], recorded("No.", retries=0))


# Both orders


@pytest.mark.parametrize(  # worked by hand: the second question shows the second face as A
    ("answers", "orders", "preferred"),
    [
        (("A", "B"), ("a", "a"), "a"),
        (("B", "A"), ("b", "b"), "b"),
        (("A", "A"), ("a", "b"), "same"),
        (("B", "B"), ("b", "a"), "same"),
        (("same", "same"), ("same", "same"), "same"),
        (("A", "same"), ("a", "same"), "same"),
    ],
)
def test_a_face_is_preferred_that_is_chosen_in_both_orders(answers, orders, preferred):
    verdict = recorded(*answers).judge(pair())
    assert (verdict.orders, verdict.preferred) == (orders, preferred)


def test_the_model_sees_both_orders_and_no_names():
    judge = recorded("A", "A")
    judge.judge(pair())
    for chat, pictures in zip(judge.chat_model.chats, ((BLACK, WHITE), (WHITE, BLACK)), strict=True):
        (message,) = chat
        assert [part["image_url"]["url"] for part in message["content"] if "image_url" in part] == list(pictures)
        assert message["content"][-1]["text"] == "The sentence: She beams"
        assert not re.search("ours|theirs", json.dumps(chat))


def test_bias_of_places_is_counted():
    answers = ["AB", "AA", "AA", "BB", ("A", "same"), ("same", "same"), "BA"]
    judge = recorded(*(word for answer in answers for word in answer), *"AB", *"AA", revision="1f2e")
    checks = [pair("8", attention=True), pair("9", attention=True)]
    verdicts = judge_pairs([*(pair(str(item)) for item in range(7)), *checks], judge)
    assert verdicts.orders == {"consistent": 3, "first": 2, "second": 1, "undecided": 1}
    assert verdicts.attention == (1, 2)
    # Wilson's interval of 3 of 7 by statsmodels 0.15: proportion_confint(3, 7, method="wilson").
    assert str(verdicts) == (
        "org/eyes@1f2e: 7 judgements; the two orders agree in 43% [16%, 75%]; where they do not, which counts as the "
        "same: the first picture both times 2, the second 1, undecided once 1\nattention checks passed: 1 of 2"
    )


def test_judgements_are_marked_as_a_machines():
    rows = Verdicts("org/eyes@1", [recorded("A", "B").judge(pair()), recorded("B", "A").judge(pair(attention=True))])
    common = {"item": "1", "judge": "org/eyes@1", "kind": "machine", "system_a": "ours", "system_b": "theirs"}
    common["description"] = "She beams"
    assert rows.rows() == [
        {**common, "preferred": "a", "attention": "false", "passed": ""},
        {**common, "preferred": "b", "attention": "true", "passed": "false"},
    ]


def test_a_check_without_a_usable_answer_is_failed_in_the_table_too(tmp_path):
    checks = [pair(str(number), attention=True) for number in (1, 2)]
    verdicts = judge_pairs([*checks, pair("3"), pair("4")], recorded("?", *"AB", *"AB", "?", retries=0))
    verdicts.save(tmp_path / "machine.csv")
    rows = list(csv.DictReader((tmp_path / "machine.csv").open()))
    assert [(row["item"], row["preferred"], row["attention"], row["passed"]) for row in rows] == [
        ("1", "", "true", "false"),
        ("2", "a", "true", "true"),
        ("3", "a", "false", ""),
    ]
    assert len(read_judgements(tmp_path / "machine.csv", kind="machine", least_passed=0.5)) == 1
    with pytest.raises(ValueError, match="1 judges failed attention checks"):
        read_judgements(tmp_path / "machine.csv", kind="machine", least_passed=0.9)


# The command, on a server


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    sample_study(6, check_share=0.1).save(folder)
    return folder


def lesser(request):
    """Choose the picture whose data come first in the alphabet: an answer that depends on the pictures alone."""
    content = request["messages"][0]["content"]
    first, second = (part["image_url"]["url"] for part in content if "image_url" in part)
    return 200, json.dumps({"better": "A" if first < second else "B"})


def run(address, study, out, *options):
    arguments = ["judge", study, "--model", "org/eyes", "--base-url", address, "--out", out, *options]
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.mark.usefixtures("online")
def test_the_command_writes_judgements(study, tmp_path):
    with answering(lesser) as (address, requests):
        done = run(address, study, tmp_path / "judgements.csv", "--revision", "abc")
    assert done.exit_code == 0, done.output
    assert "org/eyes@abc: 6 judgements; the two orders agree in 100%" in done.output
    rows = list(csv.DictReader((tmp_path / "judgements.csv").open()))
    pairs = list(study_pairs(sample_study(6, check_share=0.1), "org/eyes@abc"))
    assert (len(pairs), len(requests)) == (7, 14)  # of ten questions one is a check
    assert sorted((row["item"], row["system_a"], row["preferred"]) for row in rows) == sorted(
        (pair.item, pair.systems[0], "a" if pair.pictures[0] < pair.pictures[1] else "b") for pair in pairs
    )
    assert {(row["judge"], row["kind"]) for row in rows} == {("org/eyes@abc", "machine")}
    assert sum(row["attention"] == "true" for row in rows) == 1
    with pytest.raises(ValueError, match=r"7 rows are a machine's and are not counted"):
        read_judgements(tmp_path / "judgements.csv")
    assert len(read_judgements(tmp_path / "judgements.csv", kind="machine")) == 6
    (_, request), *_ = requests
    assert (request["model"], request["temperature"]) == ("org/eyes", 0)
    assert request["response_format"]["value"]["properties"] == {"better": {"enum": ["A", "B", "same"]}}


@pytest.mark.usefixtures("online")
def test_a_run_that_failed_goes_on_where_it_was(study, tmp_path):
    answers = [lesser] * 5

    def failing(request):
        return answers.pop()(request) if answers else (503, "overloaded")

    with answering(failing) as (address, _):
        done = run(address, study, tmp_path / "judgements.csv", "--parallel", "1")
    assert isinstance(done.exception, OSError), done.output
    assert "overloaded" in str(done.exception)
    assert not (tmp_path / "judgements.csv").exists()
    assert len(list((tmp_path / "judgements-answers").iterdir())) == 5
    with answering(lesser) as (address, requests):
        done = run(address, study, tmp_path / "judgements.csv")
    assert done.exit_code == 0, done.output
    assert len(requests) == 14 - 5
    first = (tmp_path / "judgements.csv").read_bytes()
    with answering(lesser) as (address, requests):
        assert run(address, study, tmp_path / "judgements.csv").exit_code == 0
    assert (requests, (tmp_path / "judgements.csv").read_bytes()) == ([], first)


def test_what_could_not_be_used_is_asked_again_by_the_next_run(tmp_path):
    for answers in (["A", "No.", "A", "B"], ["B"]):
        verdicts = judge_pairs(
            [pair("1"), Pair("2", "He frowns", ("ours", "theirs"), (BLACK, WHITE))],
            recorded(*answers, retries=0, cache=tmp_path),
        )
    assert [verdict.orders for verdict in verdicts.verdicts] == [("a", "a"), ("a", "a")]


@pytest.mark.usefixtures("online")
def test_no_token_of_the_hub_goes_to_another_server(study, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    keys = []
    monkeypatch.setattr(
        "huggingface_hub.InferenceClient.__init__",
        lambda self, **where: keys.append(where) or setattr(self, "model", where["base_url"]),
    )
    monkeypatch.setattr("huggingface_hub.InferenceClient.chat_completion", lambda *_, **__: 1 / 0)
    run("http://127.0.0.1:1/v1", study, tmp_path / "judgements.csv", "--limit", "1")
    assert keys == [{"base_url": "http://127.0.0.1:1/v1", "api_key": "-"}]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--local", "--provider", "together"], "expected one of --provider, --base-url and --local"),
        (["--out", "judgements.txt"], "expected a file of .csv"),
        (["--out", "nowhere/judgements.csv"], "the folder nowhere does not exist"),
    ],
)
def test_bad_options_are_refused(study, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["judge", str(study), "--model", "org/eyes", "--out", "judgements.csv", *options])
    assert message in str(done.exception)


def test_a_study_of_single_faces_has_no_pairs(tmp_path):
    with pytest.raises(ValueError, match="expected a study of pairs"):
        next(study_pairs(sample_study(2, systems={"neutral": np.zeros((2, 51))}, fits=True), "org/eyes"))


# transformers' pipeline

TEMPLATE = (
    "{% for message in messages %}<{{ message.role }}>{% for part in message.content %}"
    "{% if part.type == 'image' %}<image>{% else %}{{ part.text }}{% endif %}{% endfor %}{% endfor %}<assistant>"
)


@pytest.fixture(scope="module")
def pipe():
    """A vision-language model with random weights, whose tokens are bytes."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import (
        CLIPImageProcessor,
        CLIPVisionConfig,
        LlamaConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
        pipeline,
    )

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytes_alone = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, []))
    bytes_alone.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_alone.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bytes_alone, additional_special_tokens=["<image>"])
    processor = LlavaProcessor(
        CLIPImageProcessor(size={"shortest_edge": 28}, crop_size={"height": 28, "width": 28}),
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=TEMPLATE,
    )
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(image_size=28, patch_size=14, **sizes),
        text_config=LlamaConfig(vocab_size=257, max_position_embeddings=8192, **sizes),
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-1,
    )
    torch.manual_seed(0)
    return pipeline("image-text-to-text", model=LlavaForConditionalGeneration(config), processor=processor)


def test_a_pipeline_sees_the_pictures_in_both_orders(pipe, monkeypatch):
    seen = []
    generate = pipe.model.generate

    def kept(**inputs):
        seen.append(inputs["pixel_values"].flatten(1).mean(1).tolist())
        return generate(**inputs)

    monkeypatch.setattr(pipe.model, "generate", kept)
    judge = MachineJudge(pipe, "tiny", max_tokens=4)
    for pictures in ((BLACK, WHITE), (WHITE, BLACK)):
        answer = judge._ask(make_question("She beams", *pictures), 0)
        assert isinstance(answer, str)
        assert "beams" not in answer
    black, white = sorted(seen[0])
    assert black < -1 < 1 < white  # of CLIP's normalization
    assert seen == [[black, white], [white, black]]


def test_a_pipeline_that_answers_nonsense_is_told_of(pipe):
    with pytest.raises(ValueError, match=r"^no answer of tiny@unknown could be used; .*; answer 2 of tiny: "):
        judge_pairs([pair()], MachineJudge(pipe, "tiny", max_tokens=4, retries=1), parallel=8)


def test_a_pipeline_of_texts_alone_is_refused():
    from transformers import pipeline

    import emo3d.generation  # noqa: F401

    with pytest.raises(ValueError, match="expected a pipeline of the task image-text-to-text, got text-to-expression"):
        MachineJudge(pipeline("text-to-expression"), "quickstart")


def test_a_client_of_the_hub_has_the_models_name():
    assert MachineJudge(InferenceClient("org/eyes")).name == "org/eyes@unknown"
    assert MachineJudge(InferenceClient("org/eyes"), revision="abc").name == "org/eyes@abc"
