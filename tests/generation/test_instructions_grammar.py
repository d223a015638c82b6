"""Physical instructions in many grammars: what must move, and what must not.

A blendshape without a side is both; with L or R it is that side, and the other one must not move. `a|b`: either will
do. `!a`: off on a face that has it. `~a`: may move as well.
"""

import numpy as np
import pytest

from emo3d.blendshapes import BLENDSHAPES
from emo3d.instructions import apply_instructions, read_instructions

MOVES = """
L eye shut, R eye stays open | eyeBlinkL
Eyes dart to camera left, head still | eyeLookInL eyeLookOutR !eyeLookOutL
Lip corners down, chin boss up | mouthFrown mouthShrugLower
Left nostril flares, right one holds | noseSneerL
His gaze wandered off to the window on his right | eyeLookInL eyeLookOutR !eyeLookOutL
The right side of his mouth twitched upward | mouthSmileR
He screwed up his nose at the smell | noseSneer
Pull the right corner of your mouth outwards as far as you can | mouthStretchR|mouthSmileR|mouthDimpleR !mouthStretchL
Lift your upper lip so that the upper teeth can be seen | mouthUpperUp
Move your mouth to the right, then rest | mouthRight !mouthLeft
Simon says: shut one eye! | eyeBlinkL
Show me your top teeth like a bunny | mouthUpperUp
Squish your mouth over to the left | mouthLeft !mouthRight
Blow a kiss with your lips | mouthPucker
Don't close the right eye | !eyeBlinkR
Flare your nostrils for the drama | noseSneer
Both eyebrows down, mouth shut | browDown !jawOpen
Her right eyelid came down like a shutter | eyeBlinkR
He gave her a wink, with the left eye | eyeBlinkL
He shuts the left eye so that only the right one is open | eyeBlinkL
Tighten the lower lid of the right eye | eyeSquintR
Her right eye popped open | eyeWideR
The woman's eyes bugged out | eyeWide
Look at the picture on your right | eyeLookInL eyeLookOutR !eyeLookOutL
The right eye turns up | eyeLookUpR
Her left eyebrow jumps up | browOuterUpL ~browInnerUp
The brow on the left plunges | browDownL
She raised one brow, the right, and said nothing | browOuterUpR ~browInnerUp
The nostril on her right flares | noseSneerR
Her cheeks are full | cheekPuff
Both cheeks hitched up | cheekSquint
Shove the lower jaw out | jawForward
The lower jaw slips sideways to his left | jawLeft
Shape the mouth into a circle | mouthFunnel
Lips gathered as if to whistle | mouthPucker
Squash the right half of the lips together | mouthPressR
Pull the left corner of the mouth to the side | mouthStretchL
Both lips vanish inside the mouth | mouthRollUpper mouthRollLower
The left half of her upper lip is hitched up | mouthUpperUpL
The left half of the bottom lip drops | mouthLowerDownL
A mouth whose right corner is tugged upwards | mouthSmileR
Both ends of the mouth are low | mouthFrown
The left corner of the mouth is pinched | mouthDimpleL
The left brow and eyelid are raised | browOuterUpL eyeWideL ~browInnerUp
Neither eye is closed | !eyeBlink
Raise the right brow but not the left | browOuterUpR ~browInnerUp
The left eye and its lid are shut | eyeBlinkL
Close your right eye and lift that eyebrow | eyeBlinkR browOuterUpR ~browInnerUp
Someone whose nose is wrinkled on the right | noseSneerR
A woman whose cheeks are swollen with air | cheekPuff
She is watching something on her right | eyeLookInL eyeLookOutR !eyeLookOutL
She fixes her eyes on a point to her right | eyeLookInL eyeLookOutR !eyeLookOutL
Let your eyes roam to the left | eyeLookOutL eyeLookInR !eyeLookInL
A smirk on the left side of the mouth | mouthSmileL
The lashes of the right eye are lowered | eyeBlinkR
The corner of my father's mouth on the right droops | mouthFrownR
Her clenched mouth drifts over to her own left | mouthLeft mouthPress
His knitted brows rise | browOuterUp browInnerUp
He opens his jaw so that the bottom teeth are exposed | jawOpen mouthLowerDown
He keeps his lips locked | mouthPress
Lips jammed together | mouthPress
Her mouth is as round as a coin | mouthFunnel
Lips spread from ear to ear | mouthStretch|mouthSmile
Puffed cheeks | cheekPuff
Both corners of the mouth are higher than usual | mouthSmile
Her eyebrow slips down on the left | browDownL
An eye closes: the right | eyeBlinkR
Raise a corner of the mouth, the right one | mouthSmileR
One lid droops, on the right | eyeBlinkR
The right eye rolls inward | eyeLookInR
Left eye in, right eye straight ahead | eyeLookInL
Don't wrinkle the right side of your nose | !noseSneerR
She can't keep her right eye open | eyeBlinkR
Left lid drooping, right lid fully raised | eyeBlinkL eyeWideR
She lifts her left brow, then the right one | browOuterUp ~browInnerUp
Tuck the left corner of the mouth in | mouthDimpleL
Push both lips forward | mouthPucker ~mouthShrugLower
He sucks on his lower lip | mouthRollLower
The lower jaw moves out past the upper | jawForward
The mouth goes to camera right | mouthLeft
"""

# The same nouns in another sense.
NOTHING = """
Her eyes stay cold
He left the right way
A sharp tongue
Keep your chin up, my friend
Turn a blind eye to his faults
He stayed tight-lipped about the deal
She left her right glove at home
The corner of the room was dark
He turned the corner and went up the left stairs
On the left, a tree falls
The right answer is on the left page
My eyes are full of you
An eye-popping price
The lid of the box is shut
Close the lid of the jar
The lip of the cup is broken
He has a good nose for business
The brow of the hill rose before us
It is on the tip of my tongue
A stiff jawed answer: no
Her cheek! What a rude child
He has the cheek to ask for more
That is a close shave
The teeth of the saw are sharp
She was all ears
He is full of himself
The plane's nose lifted off the runway
His eyes fell on the letter
Eyes on the prize
You are right, and he is left behind
The right wing of the party won
They drifted apart over the years
He paid an arm and a leg
Look, I am happy
She looks tired
You look great today
He looks like his brother
The news raised many eyebrows in Paris
The door on his left opened
His mouth is dry
Her lips taste of salt
He spat in the eye of danger
I can't open the window
He pressed the matter further
My nose is running
A low-brow comedy
"""


def units(name):
    """eyeBlinkL -> eyeBlinkLeft; eyeBlink -> both sides; jawOpen -> itself."""
    sided = {"L": ["Left"], "R": ["Right"]}.get(name[-1], ["Left", "Right"])
    return [name] if name in BLENDSHAPES else [name.rstrip("LR") + side for side in sided]


def weights(description, before=()):
    face = [0.6 if name in before else 0.0 for name in BLENDSHAPES]
    reading = read_instructions(description)
    return dict(zip(BLENDSHAPES, apply_instructions(np.array(face), reading.instructions), strict=True))


@pytest.mark.parametrize("line", MOVES.strip().splitlines())
def test_what_is_told_moves_on_its_side(line):
    description, moving = line.split(" | ", 1)
    required = [word for word in moving.split() if word[0] not in "!~"]
    off = [unit for word in moving.split() if word[0] == "!" for unit in units(word[1:])]
    after = weights(description, off)
    assert not [unit for unit in off if after[unit] > 0.1]
    for word in required:
        assert any(all(after[unit] > 0.1 for unit in units(name)) for name in word.split("|")), word
    told = {unit for word in required for name in word.split("|") for unit in units(name)}
    others = {unit.replace("Left", "#").replace("Right", "Left").replace("#", "Right") for unit in told} - told
    assert not [unit for unit in others if after.get(unit, 0) > 0.1]


@pytest.mark.parametrize("description", NOTHING.strip().splitlines())
def test_other_senses_move_nothing(description):
    assert not any(weights(description).values())
