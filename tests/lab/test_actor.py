"""An actor's mood and what it feels: by hand, as properties, and as the traces that TypeScript shares."""

from __future__ import annotations

import json

import numpy as np
import pytest

from emo3d.face.rig import TARGETS
from emo3d.minilm import packaged_minilm
from emo3d_lab.actor import Actor, disarm, read_line
from emo3d_lab.moods import State, face_at, layer, react, rest_state
from lab.actor_traces import PATH, FixedGenerator, make_traces, weights_of

SMILE = [TARGETS.index(f"mouthSmile{side}") for side in ("Left", "Right")]
FROWN = [TARGETS.index(f"mouthFrown{side}") for side in ("Left", "Right")]
LIDS = [TARGETS.index(f"eyeBlink{side}") for side in ("Left", "Right")]


def face(**weights: float) -> np.ndarray:
    """Weights by stem or name, of both sides."""
    return np.array(
        [weights.get(name, weights.get(name.removesuffix("Left").removesuffix("Right"), 0)) for name in TARGETS]
    )


def test_by_hand():
    # A smile of 0.8 on a face at rest: happiness, with onset 0.6 s, apex 1.5 s and a half-life of 8 s (timing.yaml).
    first = react(rest_state(np.zeros(52)), face(mouthSmile=0.8), 10.0)
    assert first.emotion == "happiness"
    assert first.hold == 1.5
    assert face_at(first, 10.0)[SMILE] == pytest.approx([0, 0])
    assert face_at(first, 10.3)[SMILE] == pytest.approx([0.4, 0.4])  # minimum jerk: half of the way in half of the time
    assert face_at(first, 10.15)[SMILE] == pytest.approx([0.8 * 0.103515625] * 2)  # 10/4^3 - 15/4^4 + 6/4^5
    assert face_at(first, 12.1)[SMILE] == pytest.approx([0.8, 0.8])
    # The mood has gone 0.15 x 0.8 of the way to 0.3 x 0.8, and comes back with a half-life of 300 s.
    assert first.mood[SMILE] == pytest.approx([0.0288, 0.0288])
    mood = 0.0288 * 0.5 ** (10.1 / 300)
    assert face_at(first, 20.1)[SMILE] == pytest.approx([0.4 + mood / 2] * 2)  # after one half-life
    # Half of what is left (0.5) of 0.8 stays under a neutral line.
    second = react(first, np.zeros(52), 20.1)
    assert second.felt[SMILE] == pytest.approx([0.2, 0.2])
    assert second.mood[SMILE] == pytest.approx([mood, mood])
    assert second.start[SMILE] == pytest.approx([0.4 + mood / 2] * 2)
    # A frown of 0.5 puts 0.6 x 0.5 of it aside; of the smile of 0.14 that is left it takes half, as the stronger one.
    third = react(first, face(mouthFrown=0.5), 20.1)
    assert third.felt[SMILE] == pytest.approx([0.07, 0.07])
    assert third.felt[FROWN] == pytest.approx([0.5, 0.5])


def test_weights_meet_and_opposed_ones_yield():
    both = layer(face(jawOpen=0.5, browDown=0.25), face(jawOpen=0.5, browOuterUp=0.5), 0.0)
    assert both[TARGETS.index("jawOpen")] == pytest.approx(0.75)  # 1 - 0.5 x 0.5
    assert both[TARGETS.index("browOuterUpLeft")] == pytest.approx(0.5)
    assert both[TARGETS.index("browDownLeft")] == pytest.approx(0.125)
    assert layer(face(jawOpen=1), face(mouthSmile=1), 0.6)[SMILE] == pytest.approx([0.4, 0.4])


def test_traces_are_current():
    assert json.loads(json.dumps(make_traces())) == json.loads(PATH.read_text("utf-8"))
    assert PATH.stat().st_size < 100_000


def chat() -> Actor:
    generator = FixedGenerator()
    actor = Actor(generator, mood=face(mouthSmile=0.5))
    for place, emotion in enumerate(("happiness", "anger", "sadness", "surprise")):
        generator.next = weights_of({emotion: 0.9})
        actor.act("Well.", at=1.7 * place + 1)
    return actor


def test_no_jump_when_a_line_comes():
    generator = FixedGenerator()
    actor = Actor(generator)
    for place, emotion in enumerate(("happiness", "anger", "sadness", "surprise", "fear") * 3):
        generator.next, time = weights_of({emotion: 1.0}), 0.37 * (place + 1)
        before = actor.weights(time)
        actor.act("*winks* Well.", at=time)
        assert np.abs(actor.weights(time) - before).max() < 1e-8
        assert np.abs(actor.weights(time + 1e-3) - before).max() < 0.02


def test_the_face_calms_down_to_the_mood_and_that_to_its_temper():
    actor = chat()
    faces = np.array([actor.weights(time) for time in np.arange(6.1, 4000, 0.5)])
    assert ((faces >= 0) & (faces <= 1)).all()
    assert faces[-1] == pytest.approx(0.3 * face(mouthSmile=0.5), abs=1e-3)
    assert 0.01 < np.abs(faces[60] - faces[-1]).max() < 0.3  # half a minute later only the mood is off


def test_repeated_lines_move_the_mood_slowly_and_never_beyond_its_strength():
    generator = FixedGenerator()
    actor, smiles = Actor(generator), []
    generator.next = weights_of({"happiness": 1.0})
    for place in range(30):
        smiles.append(actor.act("Ha!", at=3 * place).mood[SMILE[0]])
    assert (np.diff(smiles) > 0).all()
    assert smiles[0] < 0.06
    assert 0.25 < smiles[-1] < 0.3


def test_a_wink_passes_and_leaves_what_is_felt():
    generator = FixedGenerator()
    actor = Actor(generator)
    generator.next = weights_of({"happiness": 0.8})
    actor.act("<act>she winks</act> You are late.", at=0)
    left, right = actor.weights(0.8)[LIDS]
    assert left > 0.95
    assert right < 0.1
    assert actor.weights(3)[LIDS] == pytest.approx([0, 0], abs=0.05)
    assert actor.weights(3)[SMILE].min() > 0.5


def test_a_state_goes_on_in_another_actor():
    actor = chat()
    other = Actor(FixedGenerator(), state=json.loads(json.dumps(actor.state)), clock=lambda: 5.0)
    assert other.state == actor.state
    assert (other.weights(11.0) == actor.weights(11.0)).all()
    assert (other.weights() == actor.weights(actor.state["at"])).all()  # its clock goes on from the state's time
    assert State.read(actor.state).to_dict() == actor.state


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "emo3d-actor-2"}, "expected a state of format 'emo3d-actor-1'"),
        ({"extra": 1}, "expected a state of format"),
        ({"at": -1}, "expected at of 0 to 1e13 s"),
        ({"at": float("nan")}, "expected at as a finite number"),
        ({"emotion": "joy"}, "an emotion in a state"),
        ({"at": 1e300}, "expected at of 0 to 1e13 s"),  # seconds would be lost in its digits
        ({"mood": "/etc/passwd"}, "expected 51 or 52 numbers as mood of a state, got '/etc/passwd'"),
        ({"felt": [[0], [0, 1]]}, "expected 51 or 52 numbers as felt of a state"),
        ({"mood": {"jawOpen": 1.5}}, "expected weights in 0..1 as mood of a state, got jawOpen = 1.5"),
        ({"felt": {"jaw": 0.5}}, "expected names of ARKit's 52 blendshapes in felt of a state, got 'jaw'"),
        ({"start": None}, "expected 51 or 52 weights as start of a state"),
        ({"start": ["a"]}, "expected 51 or 52 numbers as start of a state"),
        ({"start": [{}]}, "expected 51 or 52 numbers as start of a state"),
        ({"emotion": []}, "an emotion in a state"),
        ({"emotion": {}}, "an emotion in a state"),
        ({"at": 1e14}, "expected at of 0 to 1e13 s"),
    ],
)
def test_bad_states(change, message):
    with pytest.raises(ValueError, match=message):
        Actor(FixedGenerator(), state=chat().state | change)


def test_time_runs_forward_only():
    actor = chat()
    with pytest.raises(ValueError, match=r"runs forward only, got 3 where the last line came at 6\.1 s"):
        actor.weights(3)
    with pytest.raises(ValueError, match="runs forward only"):
        actor.act("Well.", at=6)
    with pytest.raises(ValueError, match="at as a finite number"):
        actor.weights(float("inf"))
    with pytest.raises(ValueError, match=r"1e\+13 s is the last"):  # its state could not be read again
        actor.act("Well.", at=1e300)


def test_a_chat_of_thousands_of_lines_stays_bounded():
    actor = Actor(FixedGenerator(), mood={"mouthSmileLeft": 0.2, "mouthSmileRight": 0.2})
    sizes = []
    for number in range(3000):
        actor.act(f"line {number}", at=4.0 * number)
        sizes.append(len(json.dumps(actor.state)))
        assert ((actor.weights(4.0 * number + 1) >= 0) & (actor.weights(4.0 * number + 1) <= 1)).all()
    assert max(sizes[1000:]) <= max(sizes[:1000]) + 100
    end = actor.state
    assert end["temper"] == {"mouthSmileLeft": 0.06, "mouthSmileRight": 0.06}  # 0.3 x 0.2, whatever was said
    resumed = Actor(FixedGenerator(), state=json.loads(json.dumps(end)))
    assert resumed.state == end


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"line": " "}, "expected a line of words"),
        ({"line": None}, "expected a line of words, up to 2000 characters, got NoneType"),
        ({"line": "a" * 2001}, "got 2001 characters"),
        ({"line": "a", "context": "b" * 2001}, "expected a context of words"),
        ({"line": "a", "strength": -0.1}, "expected a strength of 0 to 1.5"),
        ({"line": "a", "strength": float("nan")}, "expected strength as a finite number"),
    ],
)
def test_bad_lines(arguments, message):
    with pytest.raises(ValueError, match=message):
        Actor(FixedGenerator()).act(**arguments)


@pytest.mark.parametrize(
    "settings", [{"carry": 1.1}, {"decay": 0}, {"mood_strength": -1}, {"mood": {"jaw": 1}}, {"mood": [0.5]}]
)
def test_bad_settings(settings):
    with pytest.raises(ValueError, match="expected"):
        Actor(FixedGenerator(), **settings)


def test_what_a_generator_reads_of_a_line():
    assert read_line("Hello.").text == "Matter-of-factly: Hello."
    assert read_line("Hello.", "At a grave.").text == 'At a grave. "Hello."'
    assert read_line("(sighs) Hello.", "At a grave.").text == 'Feeling: sighs. At a grave. "Hello."'
    wink = read_line("*winks* Hello *waves*")
    assert (wink.text, wink.spoken) == ("Matter-of-factly: Hello *waves*", "Hello *waves*")
    assert wink.instructions[0].weights["eyeBlinkLeft"] == 1
    assert read_line("😢").text == "😢"
    assert read_line("...").text == "..."
    assert read_line("<act strength='0.2'>glad</act><act strength='0.6'>proud</act>").strength == 0.6


def test_what_is_said_orders_nobody():
    text = "Close your eyes and open your mouth, then I can't see your tongue."
    assert disarm(text).replace("\u2060", "") == text != disarm(text)
    assert disarm("It is late.") == "It is late."


needs_minilm = pytest.mark.skipif(
    packaged_minilm() is None, reason="needs the extra offline: pip install emo3d[offline]"
)


@needs_minilm
def test_quickstart_reads_dialogue():
    actor = Actor(mood="content")
    emotions = [
        actor.act(line, at=5 * place).emotion
        for place, line in enumerate(
            [
                "I'm done explaining, the system is broken.",  # the issue's: a regular expression had it as happy
                "What a lovely surprise, thank you so much!",
                "(sobbing) It was only a dog, I know.",
                "<act>furious</act> The bill, please.",
            ]
        )
    ]
    assert emotions[0] in ("anger", "sadness", "contempt")
    assert emotions[1:] == ["happiness", "sadness", "anger"]
    actor.act("Close your eyes and count to ten.", at=60)
    assert actor.weights(61)[LIDS].max() < 0.3


@needs_minilm
def test_joiners_change_nothing_for_the_encoder():
    from emo3d_lab.light import LightGenerator

    generator = LightGenerator.load()
    assert generator is not None
    plain, parted = "We had soup for lunch.", "We h\u2060ad s\u2060oup for l\u2060unch."
    assert (generator.generate([plain]) == generator.generate([parted])).all()
