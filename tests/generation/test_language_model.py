"""Chat models as generators: recorded answers, transformers' pipeline, and huggingface_hub's client on a server."""

import json
import re
import threading

import numpy as np
import pytest
from huggingface_hub import InferenceClient

from chat_server import answering, online  # noqa: F401
from emo3d.blendshapes import BLENDSHAPES
from emo3d.generation import LanguageModelGenerator
from emo3d_lab.generators.language_model import PROMPT, SCHEMA, make_messages, parse_answer

SMILE = '{"mouthSmileLeft": 0.8, "mouthSmileRight": 0.75, "jawOpen": 1}'
GOOD = [  # written by hand, in the ways in which chat models answer: text, scores
    (SMILE, {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.75, "jawOpen": 1}),
    ('\n {"eyeBlinkLeft": 1.0}\n', {"eyeBlinkLeft": 1.0}),
    ("{}", {}),
    ('```json\n{"browInnerUp": 0.5}\n```', {"browInnerUp": 0.5}),
    ('```\n{\n  "browInnerUp": 5e-1\n}\n```\n', {"browInnerUp": 0.5}),
    ('<think>A smile? {"jawOpen": 3}</think>\n\n{"jawOpen": 0}', {"jawOpen": 0}),
    ('<think>\nhm\n</think>\n```json\n{"jawOpen": 0.25}\n```', {"jawOpen": 0.25}),
]
BAD = [  # text, what is said of it
    ("", "expected JSON, got something else: Expecting value"),
    ("She smiles.", "expected JSON"),
    ('Here it is: {"jawOpen": 0.5}', "expected JSON"),
    ('{"jawOpen": 0.5} Good luck!', "expected JSON"),
    ('{"mouthSmileLeft": 0.8, "mouthSm', "expected JSON"),
    ('```json\n{"jawOpen": 0.5', "expected JSON"),
    ("[0.1, 0.2]", "expected a JSON object of scores by name, got '[0.1, 0.2]'"),
    ("null", "expected a JSON object of scores by name, got 'null'"),
    ('{"smile": 0.5}', "expected names of the 51 blendshapes, got 'smile'"),
    ('{"mouthSmile_L": 0.5}', "expected names of the 51 blendshapes, got 'mouthSmile_L'"),
    ('{"tongueOut": 1}', "expected names of the 51 blendshapes, got 'tongueOut'"),
    ('{"jawOpen": 1.01}', "expected a number in 0..1 for jawOpen, got 1.01"),
    ('{"jawOpen": -0.5}', "expected a number in 0..1 for jawOpen, got -0.5"),
    ('{"jawOpen": 80}', "expected a number in 0..1 for jawOpen, got 80"),
    ('{"jawOpen": true}', "expected a number in 0..1 for jawOpen, got True"),
    ('{"jawOpen": "0.5"}', "expected a number in 0..1 for jawOpen, got '0.5'"),
    ('{"jawOpen": null}', "expected a number in 0..1 for jawOpen, got None"),
    ('{"jawOpen": {"left": 1}}', "expected a number in 0..1 for jawOpen, got {'left': 1}"),
    ('{"jawOpen": NaN}', "expected numbers as JSON has them, got NaN"),
    ('{"jawOpen": 1e999}', "expected numbers up to"),
    ('{"jawOpen": 0.1, "jawOpen": 0.9}', "expected each name once, got jawOpen 2 times"),
    ("[" * 100_000, "brackets nested too deep"),
]


@pytest.mark.parametrize(("text", "scores"), GOOD)
def test_answers_are_read(text, scores):
    assert parse_answer(text) == scores


@pytest.mark.parametrize(("text", "message"), BAD)
def test_other_answers_are_refused(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_answer(text)


class Recorded:
    """A chat model that gives recorded answers in turn, and keeps what it was asked."""

    def __init__(self, *answers):
        self.answers, self.chats = list(answers), []

    def __call__(self, messages):
        self.chats.append(messages)
        return self.answers.pop(0)


def test_answers_become_expressions():
    model = LanguageModelGenerator(Recorded(SMILE, "{}"), "recorded")
    expressions = model.generate(["a smile", "calm", "a smile"])
    assert (expressions.shape, expressions.dtype) == ((3, 51), np.float32)
    smile = dict.fromkeys(BLENDSHAPES, 0) | {"mouthSmileLeft": 0.8, "mouthSmileRight": 0.75, "jawOpen": 1}
    np.testing.assert_array_equal(expressions[0], np.array([smile[name] for name in BLENDSHAPES], np.float32))
    assert not expressions[1].any()
    np.testing.assert_array_equal(expressions[2], expressions[0])
    assert [chat[-1] for chat in model.chat_model.chats] == [
        {"role": "user", "content": "a smile"},
        {"role": "user", "content": "calm"},
    ]
    assert (model.id, model.name_or_path, model.config.space) == ("recorded", "recorded", "weights")


def test_mouth_close_goes_no_further_than_the_jaw():
    model = LanguageModelGenerator(Recorded('{"mouthClose": 0.9, "jawOpen": 0.25}'), "recorded")
    assert model.generate(["lips closed"])[0, BLENDSHAPES.index("mouthClose")] == 0.25


def test_readings_are_those_of_the_weights():
    from emo3d.face.calibration import to_readings

    weights = LanguageModelGenerator(Recorded(SMILE), "recorded").generate(["a smile"])
    readings = LanguageModelGenerator(Recorded(SMILE), "recorded").generate(["a smile"], space="reading")
    np.testing.assert_array_equal(readings, to_readings(weights))
    assert not np.allclose(readings, weights, atol=0.05)


def test_a_bad_answer_is_told_and_asked_again():
    model = LanguageModelGenerator(Recorded('{"grin": 1}', SMILE), "recorded")
    assert model.generate(["a smile"])[0, BLENDSHAPES.index("jawOpen")] == 1
    first, second = model.chat_model.chats
    assert second[: len(first)] == first
    assert second[-2] == {"role": "assistant", "content": '{"grin": 1}'}
    assert "expected names of the 51 blendshapes, got 'grin'" in second[-1]["content"]


def test_after_all_retries_the_row_and_the_answer_are_named():
    model = LanguageModelGenerator(Recorded("{}", "No.", "No!", '{"jawOpen": 2}'), "org/chat", retries=2)
    message = "row 1, 'a wink': expected a number in 0..1 for jawOpen, got 2; answer 3 of org/chat: '{\"jawOpen\": 2}'"
    with pytest.raises(ValueError, match=re.escape(message)):
        model.generate(["calm", "a wink"])
    assert len(model.chat_model.chats) == 4


@pytest.mark.parametrize(
    ("descriptions", "space", "message"),
    [
        ([], None, "at least one description"),
        (["calm", " "], None, "row 1"),
        ("calm", None, "expected a list"),
        (["calm"], "face", "expected a space"),
    ],
)
def test_bad_descriptions_are_refused_before_anything_is_asked(descriptions, space, message):
    model = LanguageModelGenerator(Recorded(), "recorded")
    with pytest.raises(ValueError, match=message):
        model.generate(descriptions, space=space)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"id": None}, "expected the id"),
        ({"id": "recorded", "retries": -1}, "retries"),
        ({"id": "recorded", "temperature": float("nan")}, "temperature"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        LanguageModelGenerator(Recorded(), **arguments)


def test_a_function_that_returns_no_text_is_refused():
    with pytest.raises(TypeError, match=r"expected a text from recorded, got \{'jawOpen': 1\}"):
        LanguageModelGenerator(Recorded({"jawOpen": 1}), "recorded").generate(["a smile"])


# The prompt


def test_the_prompt_names_all_blendshapes_and_its_examples_are_answers():
    messages = make_messages("calm")
    assert tuple(re.findall(r"^(\w+): ", messages[0]["content"], re.MULTILINE)) == BLENDSHAPES
    assert [message["role"] for message in messages] == ["user", "assistant"] * (len(messages) // 2) + ["user"]
    for message in messages[1::2]:
        parse_answer(message["content"])
    assert tuple(SCHEMA["properties"]) == BLENDSHAPES


def test_sides_in_the_prompt_are_those_of_the_names():
    for name, action in re.findall(r"^(\w+): (.+)$", make_messages("calm")[0]["content"], re.MULTILINE):
        side = re.search("(Left|Right)$", name)
        if side and not name.startswith("eyeLook"):
            assert re.findall(r"\b(left|right)\b", action) == [side[0].lower()], name


@pytest.mark.parametrize(("text", "_"), [row for row in GOOD if row[0].startswith("{")])
def test_the_schema_takes_good_answers(text, _):
    pytest.importorskip("jsonschema").validate(json.loads(text), SCHEMA)


@pytest.mark.parametrize("text", ['{"grin": 1}', '{"jawOpen": 2}', '{"jawOpen": "1"}', "[]"])
def test_the_schema_refuses_bad_ones(text):
    jsonschema = pytest.importorskip("jsonschema")
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(text), SCHEMA)


# The cache


def ask(folder, *answers, id="org/chat", seed=0, text="a smile", **options):
    """How often a chat model was asked."""
    model = LanguageModelGenerator(Recorded(*answers), id, cache=folder, **options)
    assert model.generate([text], seed=seed)[0, BLENDSHAPES.index("jawOpen")] == 1
    return len(model.chat_model.chats)


def test_an_answer_is_asked_for_once(tmp_path):
    assert ask(tmp_path / "answers", "No.", SMILE) == 2
    assert ask(tmp_path / "answers") == 0
    (file,) = (tmp_path / "answers").iterdir()
    assert json.loads(file.read_text()) == {"description": "a smile", "model": "org/chat", "answer": SMILE}


@pytest.mark.parametrize(
    "change",
    [
        {"id": "org/other"},
        {"revision": "1234"},
        {"temperature": 0.5},
        {"max_tokens": 99},
        {"text": "a grin"},
        {"json_schema": False},
    ],
    ids=str,
)
def test_other_settings_are_asked_anew(tmp_path, change):
    assert ask(tmp_path, SMILE) == 1
    assert ask(tmp_path, SMILE, **change) == 1
    assert ask(tmp_path) == ask(tmp_path, **change) == 0


def test_another_prompt_is_asked_anew(tmp_path, monkeypatch):
    assert ask(tmp_path, SMILE) == 1
    prompt = tmp_path / "prompt.yaml"
    prompt.write_text(PROMPT.read_text().replace("Rules:", "The rules:"))
    monkeypatch.setattr("emo3d_lab.generators.language_model.PROMPT", prompt)
    assert ask(tmp_path, SMILE) == 1


def test_seeds_matter_where_answers_are_sampled(tmp_path):
    assert ask(tmp_path, SMILE) == 1
    assert ask(tmp_path, seed=1) == 0
    assert ask(tmp_path, SMILE, temperature=1) == 1
    assert ask(tmp_path, SMILE, temperature=1, seed=1) == 1


def test_what_failed_is_not_kept(tmp_path):
    with pytest.raises(ValueError, match="row 0"):
        ask(tmp_path, "No.", retries=0)
    assert not any(tmp_path.iterdir())


def test_a_write_that_was_killed_leaves_no_entry(tmp_path, monkeypatch):
    def kill(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", kill)
        with pytest.raises(KeyboardInterrupt):
            ask(tmp_path, SMILE)
    assert not list(tmp_path.glob("*.json"))
    assert ask(tmp_path, SMILE) == 1


@pytest.mark.parametrize("content", ["", '{"answer": "{\\"jawOp', "[]", '{"answer": null}', '{"answer": "No."}'])
def test_a_damaged_entry_is_asked_again(tmp_path, content):
    ask(tmp_path, SMILE)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    file.write_text(content)
    assert ask(tmp_path, SMILE) == 1
    assert file.read_bytes() == whole


def test_threads_share_a_cache(tmp_path):
    def generate():
        answers = [SMILE] * 20
        LanguageModelGenerator(Recorded(*answers), "org/chat", cache=tmp_path).generate(
            [f"smile {n}" for n in range(20)]
        )

    threads = [threading.Thread(target=generate) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(list(tmp_path.iterdir())) == 20
    for number in range(20):
        assert ask(tmp_path, text=f"smile {number}") == 0


# transformers' pipeline


TEMPLATE = "{% for message in messages %}<{{ message.role }}>{{ message.content }}\n{% endfor %}<assistant>"


@pytest.fixture(scope="module")
def pipe():
    """A chat model with random weights, whose tokens are bytes."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast, pipeline

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, chat_template=TEMPLATE)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=256, max_position_embeddings=8192, **sizes))
    return pipeline("text-generation", model=model, tokenizer=fast)


def test_a_pipeline_that_answers_no_json_is_told_of(pipe, tmp_path):
    model = LanguageModelGenerator(pipe, "tiny", max_tokens=8, retries=1, cache=tmp_path)
    with pytest.raises(ValueError, match=r"^row 0, 'She smiles': expected JSON, got .*; answer 2 of tiny: "):
        model.generate(["She smiles"])
    assert not any(tmp_path.iterdir())


def test_a_pipeline_gives_what_it_adds_to_the_chat(pipe):
    from transformers import set_seed

    set_seed(0)
    greedy = LanguageModelGenerator(pipe, "tiny", max_tokens=8)
    messages = make_messages("She smiles")
    answer = greedy._ask(messages, 0)
    assert isinstance(answer, str)
    assert "smile" not in answer
    assert answer == greedy._ask(messages, 1)
    warm = LanguageModelGenerator(pipe, "tiny", max_tokens=8, temperature=2.0)
    assert warm._ask(messages, 0) == warm._ask(messages, 0) != warm._ask(messages, 1)


def test_a_seed_moves_no_random_numbers_of_others(pipe):
    import torch

    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    LanguageModelGenerator(pipe, "tiny", max_tokens=2, temperature=1.0)._ask(make_messages("calm"), 0)
    assert torch.equal(torch.rand(4), expected)


def test_a_pipeline_of_a_model_without_a_name_needs_one(pipe):
    with pytest.raises(ValueError, match="expected the id"):
        LanguageModelGenerator(pipe)


def test_pipelines_of_other_tasks_are_refused():
    from transformers import pipeline

    import emo3d.generation  # noqa: F401

    with pytest.raises(ValueError, match="expected a pipeline of the task text-generation, got text-to-expression"):
        LanguageModelGenerator(pipeline("text-to-expression"), "quickstart")


# huggingface_hub's client


@pytest.mark.usefixtures("online")
def test_a_client_is_asked_with_the_schema_and_told_of_bad_answers():
    with answering((200, '{"jawOpen": 7}'), (200, SMILE)) as (address, requests):
        model = LanguageModelGenerator(InferenceClient(base_url=address, api_key="none"), "org/chat", max_tokens=500)
        expressions = model.generate(["a smile"])
    assert expressions[0, BLENDSHAPES.index("mouthSmileLeft")] == np.float32(0.8)
    (path, first), (_, second) = requests
    assert path == "/v1/chat/completions"
    assert {name: first[name] for name in ("model", "temperature", "max_tokens", "messages")} == {
        "model": "org/chat",
        "temperature": 0,
        "max_tokens": 500,
        "messages": make_messages("a smile"),
    }
    # The client writes what it is given as TGI and the Hub's inference take it.
    assert first["response_format"] == {"type": "json_object", "value": json.loads(json.dumps(SCHEMA))}
    assert "got 7" in second["messages"][-1]["content"]


@pytest.mark.usefixtures("online")
def test_a_client_can_go_without_a_schema_and_with_a_temperature():
    with answering((200, SMILE)) as (address, requests):
        client = InferenceClient(base_url=address, api_key="none")
        LanguageModelGenerator(client, "org/chat", json_schema=False, temperature=0.5).generate(["a smile"], seed=7)
    ((_, request),) = requests
    assert "response_format" not in request
    assert (request["temperature"], request["seed"]) == (0.5, 7)


@pytest.mark.usefixtures("online")
def test_what_the_server_refuses_is_an_oserror_with_its_words():
    with answering((422, "no grammar here")) as (address, requests):
        model = LanguageModelGenerator(InferenceClient(base_url=address, api_key="none"), "org/chat")
        with pytest.raises(OSError, match="no grammar here"):
            model.generate(["a smile"])
    assert len(requests) == 1


@pytest.mark.usefixtures("online")
def test_a_server_that_is_not_there_is_an_oserror_with_the_models_name():
    model = LanguageModelGenerator(InferenceClient(base_url="http://127.0.0.1:9/v1", api_key="none"), "org/chat")
    with pytest.raises(OSError, match=r"^org/chat could not be asked: ConnectError"):
        model.generate(["a smile"])


@pytest.mark.usefixtures("online")
def test_an_answer_without_content_is_no_json():
    with answering((200, None)) as (address, _):
        model = LanguageModelGenerator(InferenceClient(base_url=address, api_key="none"), "org/chat", retries=0)
        with pytest.raises(ValueError, match="row 0, 'a smile': expected JSON"):
            model.generate(["a smile"])


def test_a_client_of_a_model_has_its_name_and_one_of_an_address_needs_one():
    assert LanguageModelGenerator(InferenceClient("org/chat")).id == "org/chat"
    with pytest.raises(ValueError, match="expected the id"):
        LanguageModelGenerator(InferenceClient(base_url="http://127.0.0.1:1/v1"))


# Beside other generators


@pytest.fixture
def references(tmp_path):
    """A file of three rows."""
    rows = [
        {"description": text, "intensities": np.eye(8)[number].tolist(), "blendshapes": [0.1 * number] * 51}
        for number, text in enumerate(["a smile", "a frown", "calm"])
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def chat_model():
    return LanguageModelGenerator(Recorded(SMILE, "{}", '{"jawOpen": 0.5}'), "org/chat")


def test_it_is_evaluated_and_compared_as_others_are(references):
    from emo3d.scoring import QUICKSTART, ScoreSettings
    from emo3d_lab.training import evaluate_model
    from emo3d_lab.training.leaderboard import rank, to_markdown

    options = {"space": "weights", "settings": ScoreSettings(backbone=QUICKSTART, k=2)}
    evaluation = evaluate_model(chat_model(), str(references), **options)
    other = evaluate_model("quickstart", str(references), **options)
    (table,) = rank([evaluation, other])
    assert {entry.model: entry.result.n for entry in table.entries} == {"org/chat": 3, "quickstart": 3}
    assert "| org/chat |" in to_markdown([table])


def test_its_predictions_are_a_file_that_is_scored(references, tmp_path, monkeypatch):
    from typer.testing import CliRunner

    from emo3d.cli import app
    from emo3d.scoring import Emo3DResult
    from emo3d_lab.training.predictions import save_predictions

    monkeypatch.chdir(tmp_path)
    descriptions = ["a smile", "a frown", "calm"]
    save_predictions(
        tmp_path / "chat.parquet", descriptions, chat_model().generate(descriptions), "weights", "org/chat"
    )
    for command in (
        "score chat.parquet --references rows.jsonl --backbone quickstart --k 2 --out chat.json",
        "leaderboard chat.json --out board.md",
    ):
        done = CliRunner().invoke(app, command.split())
        assert done.exit_code == 0, done.output
    assert Emo3DResult.load("chat.json").n == 3
    assert "| chat |" in (tmp_path / "board.md").read_text()
