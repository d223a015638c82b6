"""Texts to beats. All expected beats were written by hand."""

from __future__ import annotations

import random
import re
import time
from collections import Counter

import pytest

from emo3d_lab.clips.beats import beat_text, read_beats

# text | its beats
BEATS = """
She holds back tears, then breaks into a smile | She holds back tears | breaks into a smile
She smiles | She smiles
A tired, sad and lonely old man | A tired, sad and lonely old man
An elated, breathless, wide-eyed child | An elated, breathless, wide-eyed child
Well, she is happy | Well, she is happy
Wow! She is happy | Wow! She is happy
He is angry. Then he calms down. | He is angry. | he calms down.
He is angry. He laughs. | He is angry. | He laughs.
She smiles, and then suddenly her face turns to horror | She smiles | suddenly her face turns to horror
First she frowns, then she laughs | she frowns | she laughs
At first he is angry, but he calms down | he is angry | he calms down
Initially bored, she perks up when he enters | bored | she perks up when he enters
She smiles after crying | crying | She smiles
After crying, she smiles | crying | she smiles
After he has laughed, he sighs | he has laughed | he sighs
Before bursting into tears, he smiles | he smiles | bursting into tears
He smiles before bursting into tears | He smiles | bursting into tears
He stands before the mirror, smiling | He stands before the mirror, smiling
She is tired after the party | She is tired after the party
She smiles while crying | She smiles while crying
While he listens, he frowns | While he listens, he frowns
As he reads the letter, he weeps | As he reads the letter, he weeps
When he hears the joke, he smiles | When he hears the joke, he smiles
The smile fades from his face | The smile | The smile fades from his face
As she listens, her smile fades | her smile | As she listens, her smile fades
Her smile slowly turns into a frown | Her smile | slowly a frown
Surprise gives way to joy | Surprise | joy
His grin is replaced by a look of horror | His grin | a look of horror
He goes from anger to joy | He goes from anger | joy
She goes from happy to sad to furious | She goes from happy | sad | furious
She turns to him and smiles | She turns to him and smiles
She blinks, smiles, and cries | She blinks | smiles | cries
She blinks, smiles and cries | She blinks | smiles | cries
He gasped, laughed and wept | He gasped | laughed | wept
She smiles and winks | She smiles | winks
The old man is furious and winks with his left eye | The old man is furious | winks with his left eye
He stares for two seconds, then laughs | He stares for two seconds | laughs
After three seconds, she smiles | she smiles
She smiles. Two seconds later she is crying. | She smiles. | she is crying.
He is calm, for a moment he looks scared | He is calm | for a moment he looks scared
She is happy; suddenly she gasps | She is happy; | suddenly she gasps
Suddenly, she laughs | Suddenly, she laughs
She suddenly laughs | She suddenly laughs
She looks up, slowly smiling | She looks up | slowly smiling
He tries to stay serious but bursts into laughter | He tries to stay serious | bursts into laughter
He is about to cry, but smiles instead | He is about to cry | smiles instead
She smiles but her eyes are sad | She smiles but her eyes are sad
He laughs until he cries | He laughs | he cries
She works until dawn | She works until dawn
Her eyes widen, her jaw drops | Her eyes widen, her jaw drops
Her eyes widen. Her jaw drops. | Her eyes widen. Her jaw drops.
The brows are raised. The mouth is open. | The brows are raised. The mouth is open.
One moment she is laughing, the next she is in tears | she is laughing | she is in tears
She laughs, then stops. | She laughs | stops.
No longer angry, he smiles | No longer angry | he smiles
Her anger fades and she smiles | Her anger | Her anger fades | she smiles
He stops crying and smiles | He stops crying | smiles
She dries her tears and laughs | She dries her tears | laughs
She wipes her tears and smiles | She wipes her tears | smiles
He cries, then wipes away a tear and smiles weakly | He cries | wipes away a tear | smiles weakly
He wipes his wet eyes and suddenly grins | He wipes his wet eyes | suddenly grins
She blinks back tears and smiles | She blinks back tears | smiles
He swallows his anger and smiles | He swallows his anger | smiles
She shook off her sudden fear and laughed | She shook off her sudden fear | laughed
She dries her tears | She dries her tears
She dries her tears and her face | She dries her tears and her face
She holds back tears and smiles | She holds back tears and smiles
He hides his anger and smiles | He hides his anger and smiles
He nods and smiles | He nods and smiles
He nods, then smiles | He nods | smiles
She says "Stop, then go!" and frowns | She says "Stop, then go!" and frowns
Now and then she smiles | Now and then she smiles
The man then smiles | The man then smiles
A smile, then a frown | A smile | a frown
Angry, then sad, then happy | Angry | sad | happy
She smiles, but he frowns | She smiles | he frowns
He smiles, his eyes full of tears | He smiles, his eyes full of tears
She gasps, covers her mouth, then starts to laugh | She gasps | covers her mouth | starts to laugh
Dr. Jones smiles. Mr. Smith frowns. | Dr. Jones smiles. | Mr. Smith frowns.
A flicker of doubt, followed by relief | A flicker of doubt | relief
He waits, and finally he grins | He waits | he grins
She finally smiles | She finally smiles
He frowns -> he smiles | He frowns | he smiles
Confused, she tilts her head, then understands and beams | Confused, she tilts her head | understands and beams
He glares at her, shakes his head and walks away | He glares at her | shakes his head and walks away
Joy, pride and relief fill her face | Joy, pride and relief fill her face
She bites her lip, hesitates, and then confesses with shame | She bites her lip | hesitates | confesses with shame
He looks left, then right, then straight ahead | He looks left | looks right | looks straight ahead
All of a sudden he panics, but soon he relaxes | All of a sudden he panics | he relaxes
He looks puzzled at first, then amused, and finally delighted | He looks puzzled at first | amused | delighted
She was smiling when suddenly her expression darkened | She was smiling | suddenly her expression darkened
She starts to laugh but stops herself. | She starts to laugh | stops herself.
The anger fades, leaving only exhaustion. | The anger | The anger fades | leaving only exhaustion.
She grits her teeth for five seconds before screaming. | She grits her teeth for five seconds | screaming.
She sighs, rolls her eyes, and looks away. | She sighs | rolls her eyes | looks away.
He opens his mouth to speak, hesitates, closes it again. | He opens his mouth to speak | hesitates | closes it again.
She is happy and then she isn't. | She is happy | she isn't.
First surprise, then anger, and in the end resignation. | surprise | anger | resignation.
Her smile turns into a frown, then she cries | Her smile | a frown | she cries
In an instant her joy becomes panic. | In an instant her joy | panic.
Suspicious at first, she gradually softens and smiles. | Suspicious at first | she gradually softens and smiles.
The girl pouts, sticks out her tongue, and runs away. | The girl pouts | sticks out her tongue, and runs away.
Happy. Sad. Happy. | Happy. | Sad. | Happy.
A look of confusion, a pause, and then sudden understanding. | A look of confusion, a pause | sudden understanding.
He takes a deep breath and calms down. | He takes a deep breath and calms down.
He raises both eyebrows before shaking his head. | He raises both eyebrows | shaking his head.
She laughs and laughs, then suddenly goes silent. | She laughs and laughs | suddenly goes silent.
She becomes calm | She becomes calm
Her smile does not turn into a frown | Her smile does not turn into a frown
他笑了。然后哭了。 | 他笑了。 | 然后哭了。
Elle sourit. Puis elle pleure. | Elle sourit. | Puis elle pleure.
Sie lächelt. Er weint. | Sie lächelt. | Er weint.
She grins — then bursts out laughing | She grins | bursts out laughing
"""
ROWS = [[part.strip() for part in line.split(" | ")] for line in BEATS.strip().splitlines()]


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_beats_are_what_happens_in_order(row: list[str]) -> None:
    assert [beat.description for beat in read_beats(row[0])] == row[1:]


@pytest.mark.parametrize("text", [row[0] for row in ROWS])
def test_no_word_is_lost(text: str) -> None:
    beats = read_beats(text)
    first = beats[0].description in beats[1].description if len(beats) > 1 else False  # "her smile", "her smile fades"
    words = [word for beat in beats[first:] for word in re.findall(r"\w+", f"{beat.connective} {beat.description}")]
    lost = Counter(re.findall(r"\w+", text)) - Counter(words)
    added = Counter(words) - Counter(re.findall(r"\w+", text))
    assert not lost
    assert set(added) <= {"looks"}  # "looks left, then right"


def test_no_word_is_lost_of_any_jumble() -> None:
    draw = random.Random(0)
    words = [*" ".join(row[0] for row in ROWS).split(), *"before after until , turns into from to no longer".split()]
    for _ in range(300):
        text = " ".join(draw.choices(words, k=draw.randint(1, 20)))
        beats = read_beats(text)
        spoken = Counter(re.findall(r"\w+", " ".join(f"{beat.connective} {beat.description}" for beat in beats)))
        assert not Counter(re.findall(r"\w+", text)) - spoken, text


@pytest.mark.parametrize(
    ("text", "place", "field", "expected"),
    [
        ("She suddenly laughs", 0, "manner", "sudden"),
        ("She smiles, all at once furious", 1, "manner", "sudden"),
        ("He gradually relaxes", 0, "manner", "slow"),
        ("Her smile slowly turns into a frown", 1, "manner", "slow"),
        ("She is calm, then bursts into tears", 1, "manner", "sudden"),
        ("He slowly explodes", 0, "manner", "slow"),
        ("She laughs", 0, "manner", "plain"),
        ("He stares for two seconds, then laughs", 0, "seconds", 2.0),
        ("He stares for 1.5 s, then laughs", 0, "seconds", 1.5),
        ("He stares for half a second, then laughs", 0, "seconds", 0.5),
        ("He stares for a few seconds, then laughs", 0, "seconds", 3.0),
        ("He stares, then laughs", 0, "seconds", None),
        ("After three seconds, she smiles", 0, "later", 3.0),
        ("She smiles. A moment later she is crying.", 1, "later", 1.0),
        ("She smiles. After 2.5 seconds, she cries", 1, "later", 2.5),
        ("He is calm, for a moment he looks scared", 1, "momentary", True),
        ("He briefly smiles", 0, "momentary", True),
        ("She smiles and winks", 1, "momentary", True),
        ("She closes her eyes", 0, "momentary", False),
        ("He glares, then stops glaring", 1, "releases", True),
        ("He glares, then relaxes", 1, "releases", True),
        ("He glares, then calms down", 1, "releases", True),
        ("Her face is calm, then goes blank", 1, "releases", True),
        ("She laughs, then goes silent", 1, "releases", True),
        ("She gives a quick wink and a grin", 0, "winks", True),
        ("He relaxes into a smile", 0, "releases", False),
        ("The smile fades into a frown", 1, "releases", False),
        ("He is tense, then back to normal", 1, "releases", True),
        ("No longer smiling, he stares", 0, "releases", True),
        ("She doesn't stop smiling", 0, "releases", False),
        ("He laughs. He can't seem to stop laughing.", 1, "releases", False),
        ("He is furious, then does not calm down", 1, "releases", False),
        ("He is furious, then does not calm down", 1, "keeps", True),
        ("She smiles. She never stops.", 1, "keeps", True),
        ("She smiles, then nods", 1, "keeps", True),
        ("She smiles, then slowly shakes her head", 1, "keeps", True),
        ("She smiles, then nods and frowns", 1, "keeps", False),
    ],
)
def test_manner_and_length(text: str, place: int, field: str, expected: object) -> None:
    assert getattr(read_beats(text)[place], field) == expected


@pytest.mark.parametrize(
    ("description", "face"),
    [
        ("suddenly she gasps", "she gasps"),
        ("she smiles, slowly", "she smiles"),
        ("He stares for two seconds", "He stares"),
        ("for a moment he looks scared", "he looks scared"),
        ("Suddenly", "Suddenly"),  # nothing else to show
        ("She doesn't stop smiling", "She keeps smiling"),
        ("He cannot seem to stop crying", "He keeps crying"),
        ("He is furious and does not calm down", "He is furious"),
        ("He stops smiling", "He stops smiling"),
    ],
)
def test_a_generator_gets_no_words_of_time(description: str, face: str) -> None:
    assert beat_text(description).face == face


@pytest.mark.parametrize("text", ["", "  \n", None, 3])
def test_blank_texts_are_refused(text: object) -> None:
    with pytest.raises(ValueError, match="expected a text that says what happens"):
        read_beats(text)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["...", "then", "Sie lächelt, dann weint sie", "😀", "she smiles, then", "?!" * 400])
def test_odd_texts_are_beats_too(text: str) -> None:
    assert all(beat.description.strip() for beat in read_beats(text))


@pytest.mark.parametrize(
    "part",
    [
        "slowly ",
        "really ",
        "for a moment ",
        "until ",
        "and ",
        "sad, ",
        "her smile turns into ",
        "not ",
        " ",
        "\t",
        "\u00a0",
    ],
)
def test_no_text_takes_long(part: str) -> None:
    """Each took minutes, or would have for ever: an adverb that two patterns match, all that is left of every word."""
    start = time.process_time()
    read_beats("She smiles, " + (part * 3000)[:2980] + "x")
    assert time.process_time() - start < 10  # well below 1 on an idle core


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("She smiles for 0 seconds, then cries", "above 0 and up to 600 seconds in the text, got 'for 0 seconds'"),
        ("She smiles. 0 seconds later she cries.", "got '0 seconds'"),
        ("She smiles for 99999999999999999999 seconds", "got 'for 99999999999999999999 seconds'"),
        (f"She smiles for {'9' * 400} seconds", "got 'for 9999"),
        ("She smiles. " * 300, "expected a text of at most 3,000 characters, got 3,600: make several clips"),
    ],
)
def test_what_no_clip_can_last_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_beats(text)
