"""Acts in a chat model's line, as a whole and in chunks."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emo3d_lab.acts import LONGEST, ActReader, read_acts
from lab.actor_traces import ACTS, segments_of


@pytest.mark.parametrize(
    ("line", "acts"),
    [
        ("<act>she winks</act> Hi", ["she winks"]),
        ('<act strength="0.5">thrilled</act>', ["thrilled"]),
        ("*sighs* Fine. *rolls his eyes*", ["sighs", "rolls his eyes"]),
        ("(laughs nervously) (crying)", ["laughs nervously", "crying"]),
        ("Well *shrugs* who knows", ["shrugs"]),
        ("*happily* Yes! (sarcastic) Sure.", ["happily", "sarcastic"]),
        ("*she slowly smiles*", ["she slowly smiles"]),
        ("Nice 😂 ❤️ :)", ["😂", "❤️", ":)"]),
        # No cue for certain: text.
        ("I *really* mean it", []),
        ("I am so *happy* for you", []),
        ("He *laughs* at me", []),
        ("**laughs** and 2 * 3 * 4", []),
        ("(see page 4) (a) (looks good)", []),
        ("*laughs", []),
        ("<act>", []),
        ("<act></act> <acts>x</acts> <act mood='x'>y</act> <act strength='2'>x</act> <act strength='.'>x</act>", []),
        ("<act>" + "x" * (LONGEST["<"] + 1) + "</act>", []),
        ("Dinner 🍕 at 10:30 :D0", []),
    ],
)
def test_acts_of_a_line(line, acts):
    segments = read_acts(line)
    assert [segment.text for segment in segments if segment.kind == "act"] == acts
    if not acts:
        assert [segment.text for segment in segments] == [line]


def test_strength():
    assert [s.strength for s in read_acts("<act strength='0.25'>a</act><act strength=1.5>b</act><act>c</act>")] == [
        0.25,
        1.5,
        None,
    ]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("line", ACTS)
def test_chunks_are_the_whole(line, size):
    assert segments_of(line, size) == segments_of(line)


@given(st.text("<act>/ strenghlu*()='0.5:;)😂❤\ufe0f\u200d\n", max_size=60), st.integers(1, 5))
def test_any_text_in_any_chunks(line, size):
    segments = segments_of(line)
    assert segments_of(line, size) == segments
    said = "".join(segment["text"] for segment in segments if segment["kind"] == "said")
    assert len(said) <= len(line)
    assert any(s["kind"] == "act" for s in segments) or said == line


@pytest.mark.parametrize("part", ["<act>", "<act>a", "*a ", "(", "*", ":", " :", "😂", "❤\u200d", "(a)", "*laughs "])
def test_hostile_lines_take_linear_time_and_bounded_memory(part):
    def seconds(count: int) -> float:
        start = time.process_time()
        read_acts(part * count)
        return time.process_time() - start

    seconds(100)
    small, large = min(seconds(700) for _ in range(3)), min(seconds(7_000) for _ in range(2))
    assert large < 40 * small + 0.02  # 10 where it is linear, 100 where it is quadratic
    reader = ActReader()
    held = 0
    for _ in range(1_000):
        reader.feed(part)
        held = max(held, len(reader._rest))
    assert held <= LONGEST["<"] + 50


def test_chunks_that_are_no_text():
    with pytest.raises(ValueError, match="expected a chunk of text, got a bytes"):
        ActReader().feed(b"*laughs*")  # type: ignore[arg-type]
