"""Which side of the face words mean: left as a side, a direction or a verb; "the other", "an eye", "of the left eye".

All sides are the person's own; those of a viewer, a camera or a picture are turned round.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from emo3d_lab.instructions.vocabulary import OTHER, Token, vocabulary

# "the left half of", "left-hand", "leftmost": a side, as long as it was.
_HAND = re.compile(r"\b(left|right)(?:[- ]hand(?:ed)?(?= (?:side|corner|eye|half|brow|part|end))|-sided?|most)\b", re.I)
_HALF = re.compile(r"(?<=left )half of\b|(?<=right )half of\b", re.I)
_ONLY = re.compile(r"\bnothing but\b|\bnone but\b|\bno (?:eye|brow|corner) but\b", re.I)
_NOUN = re.compile("[plGVxy]{0,3}(od?)?[plGVxy]{0,2}P")  # after a side: up to the part that it is the side of
_ONE = re.compile("eye|eyebrow|(upper |lower )?eyelid|eyelash|nostril|corner of.*|(lip|mouth) corner|side of.*")
_PAIRED = re.compile(
    "((upper|lower|inner|outer) )?(eye|brow|eyebrow|lid|eyelid|nostril|cheek|corner|fang|canine|(lip|mouth) corner)"
)
_VIEWERS = ("viewer", "camera", "screen", "observer", "audience", "onlooker", "picture", "image", "frame", "photo")
_SEEN = re.compile(  # "on the left of the picture", "left, as seen by the viewer"
    r"\b(?:of|in) (?:the |this )?(?:picture|image|frame|photo|photograph|screen|shot)\b"
    r"|\bas (?:the |a )?(?:viewer|camera|observer|audience)s? sees?\b"
    r"|\b(?:from|by) (?:the |a |our )?(?:viewer|camera|observer|audience|front|point of view|us\b)"
    r"|\bto (?:the|a) (?:viewer|observer|camera)\b|\bon our (?:left|right)\b|\bas we (?:see|look)\b"
)
_ENDS = ("corner", "corners", "end", "ends", "tips")
_ALONE = re.compile("c*[pldonty]*[SPDV][pldonyG]*(od?[plPd]*)?[.]?")  # "on the right only", "the left one"


def plain_sides(text: str) -> str:
    """A text, as long as before, whose "left-hand" and "left half of" are "left" and "left side of"."""
    text = _ONLY.sub(lambda match: "only".ljust(len(match[0])), text)
    return _HALF.sub("side of", _HAND.sub(lambda match: match[1].ljust(len(match[0])), text))


def plural(token: Token) -> bool:
    """Whether a part is more than one of its kind ("lips", "the corners of the mouth")."""
    head = token.text.split(" of ")[0]
    return head.endswith("s") or "teeth" in head


def join_parts(tokens: list[Token]) -> None:
    """Make one part of two: "the lid of the left eye", "the mouth's corner"; and parts of ends ("its left corner")."""
    for place, token in enumerate(tokens):
        if token.text in _ENDS and token.tag == "p":
            _tell_end(tokens, place)
        if token.tag != "P":
            continue
        tail = "".join(other.tag for other in tokens[place + 1 : place + 6])
        if match := re.match("[ot]d?S?p?P", tail):
            end = place + match.end()  # at the inner part
            beside = tokens[end].value == "eye" and token.value in ("lid", "lowerlid", "brow", "cheek")
            if tokens[place + 1].text == "of" or beside:
                for other in tokens[place + 1 : end + 1]:
                    if other.tag == "S":
                        token.side, other.tag = _own(tokens, tokens.index(other)), "p"
                        token.around.append(other)
                    elif other.tag != "p":
                        other.tag = "p"
                token.text += "s" * (plural(tokens[end]) and not plural(token) and token.side == "both")
        elif re.match("d(S?)P", tail) and tokens[place + 1].text in ("'s", "'"):
            token.tag = tokens[place + 1].tag = "p"


def _tell_end(tokens: list[Token], place: int) -> None:
    """A corner or an end is a part where a mouth, a smile or a brow stands in the same description."""
    before = "".join(token.tag for token in tokens[max(place - 3, 0) : place])
    after = tokens[place + 1 : place + 2]
    around = [token for token in tokens if token.tag == "P" or token.value in ("smile", "grin", "smirk")]
    if (
        (after and after[0].text == "of")
        or not around
        or not (
            re.search("S[pG]?$", before)
            or tokens[place].text[-1] == "s"
            or re.match("od?S", "".join(token.tag for token in tokens[place + 1 : place + 4]))
        )
    ):
        return
    nearest = ([token for token in around if token in tokens[:place]][-1:] or around[:1])[0]
    between = "".join(token.tag for token in tokens[tokens.index(nearest) : place])
    kind = next((token.text for token in tokens[max(place - 2, 0) : place] if token.text in ("inner", "outer")), "")
    if between.startswith("P") and not {*between} & {*"c."}:  # "the mouth drops at its left corner"
        nearest.value = f"{kind}brow" if nearest.value == "brow" and kind else nearest.value
        return
    if nearest.value.endswith("brow") and kind:
        tokens[place].tag, tokens[place].value = "P", f"{kind}brow"
    elif nearest.value in ("mouth", "lip", "upperlip", "lowerlip", "corner", "smile", "grin", "smirk"):
        tokens[place].tag, tokens[place].value = "P", "corner"


def _own(tokens: Sequence[Token], place: int) -> str:
    """The person's own side that a word names."""
    value, near = tokens[place].value, tokens[max(place - 2, 0) : place]
    value = {"one": "left", "either": "both"}.get(value, value)
    return OTHER.get(value, value) if any(other.text in _VIEWERS for other in near) else value


def tell_sides(text: str, tokens: list[Token]) -> None:
    """Whether "left" is a side, a direction or a verb, and what "the other" and "an eye" mean."""
    part, side, tags = "", "left", "".join(token.tag for token in tokens)
    turned = bool(_SEEN.search(text.lower()))
    for place, token in enumerate(tokens):
        near, before, after = tokens[max(place - 3, 0) : place], tags[:place][-6:], tags[place + 1 :][:9]
        if token.tag == "P":
            part = token.value
            article = token.text in ("brow", "lid", "cheek") and any(other.text in ("a", "an") for other in near)
            rolling = "".join(other.text for other in tokens[place + 1 : place + 2]).endswith("ing")  # "eye-rolling"
            token.only = any(other.text in ("only", "just") for other in tokens[max(place - 4, 0) : place])
            token.single = article or (bool(_ONE.fullmatch(token.text)) and not rolling)
        elif token.text == "side" and near and near[-1].text in ("that", "same") and "S" in tags[:place] + "-":
            token.tag, token.side, token.value = "S", side, side  # "on that side"
            tags = tags[:place] + "S" + tags[place + 1 :]
        elif token.tag == "S":
            sided, on, to = token.value in OTHER, re.search("o[dwp]*$", before), re.search("t[dwp]*$", before)
            if sided and turned:
                token.value = OTHER[token.value]
            else:
                token.value = _own(tokens, place) if sided else token.value
            pronoun = re.match("$|S?l?[aVcG.]|S$", after) and (before.endswith("d") or token.text.endswith(" one"))
            half = any(other.text in ("side", "half", "hand") for other in tokens[place + 1 : place + 2])
            if sided and after.startswith("d") and not (on or to):  # "left her mouth open"
                token.tag = "p"
            elif not _NOUN.match(after) and not on and not (half and not to):
                turns = sided and (to or not before.endswith("d")) and not token.text.endswith(" one")
                instead = "P" if part else "S" if near[-2:] and near[-2:][0].text == "with" else "p"
                token.tag = "D" if turns else instead if pronoun else "p"
            if token.tag in "SP":
                other = OTHER.get(side, "both")
                names = {"one": "left", "other": other, "opposite": other, "either": "both"}
                token.side = token.value = side = names.get(token.value, token.value)
            if token.tag == "P":
                token.value, token.pronoun = part, True
            tags = tags[:place] + token.tag + tags[place + 1 :]


def attach_side(tokens: Sequence[Token], token: Token) -> list[Token]:
    """The part or verb that a side is of."""
    own = [other for other in tokens if other.run == token.run and other is not token]
    noun = _NOUN.match("".join(other.tag for other in tokens[token.place + 1 :][:9]))
    parts = [other for other in own if other.tag == "P" and other.place < token.place]
    verbs = [other for other in own if other.tag == "V"]
    if noun:
        owners = [tokens[token.place + noun.end()]]
    elif gazing := gaze_verb(tokens, token):
        gazing.directions.append(token.value)
        return [gazing]
    else:
        owners = (verbs + parts)[-1:] if parts else verbs[-1:]
    for owner in owners:
        if token.text == "one" and owner.tag == "P":  # a later word may say which
            owner.single = True
        else:
            owner.side = token.value
    return owners


def gaze_verb(tokens: Sequence[Token], token: Token) -> Token | None:
    """The verb of looking whose way a side tells: "looks at the clock on his left"."""
    earlier = [other for other in tokens[: token.place] if other.tag in "V.P"]
    if token.value not in OTHER or not earlier or earlier[-1].tag != "V" or earlier[-1].directions:
        return None
    verb = earlier[-1]
    eyes = len(earlier) > 1 and earlier[-2].value in ("gaze", "eye") and verb.value in vocabulary()["move"]
    between = {other.tag for other in tokens[verb.place : token.place]}
    return verb if (verb.value in vocabulary()["look"] or eyes) and between & {*"ot"} else None


def carry_sides(tokens: Sequence[Token]) -> None:
    """Give a side in a phrase of its own to what stands before it, and the side of a part to the next of its list."""
    segments: dict[int, list[Token]] = {}
    for token in tokens:
        segments.setdefault(token.segment, []).append(token)
    for inner in segments.values():
        tags = "".join(token.tag for token in inner)
        sided = [t for t in inner if {t.value, t.side, *(t.directions if t.tag == "V" else ())} & {*OTHER}]
        if len(sided) != 1 or not _ALONE.fullmatch(tags) or (sided[0].tag == "P" and not sided[0].pronoun):
            continue
        token = sided[0]
        limited = any(other.text in ("only", "just", "side", "half", "solely", "alone") for other in inner)
        if token.tag == "V" and (token.value or not limited):
            continue
        side = token.directions[0] if token.tag == "V" else token.side or token.value
        earlier = [other for other in tokens[: inner[0].place] if other.tag in "PV."]
        stops = [place for place, other in enumerate(earlier) if other.tag == "."]
        earlier = earlier[stops[-1] + 1 if stops else 0 :]
        parts = [other for other in earlier if other.tag == "P"]
        for owner in [*(other for other in parts[:-1] if other.single), *(parts[-1:] or earlier[-1:])]:
            if not owner.side and owner is not token:
                owner.side, owner.around = side, [*owner.around, token]
                token.tag, token.pronoun = "p", False
    for lid in (
        token for token in tokens if token.value in ("lid", "lowerlid") and not token.side
    ):  # "in the left eye"
        for eye in (t for t in tokens[lid.place :] if t.segment == lid.segment and t.value == "eye" and t.side):
            lid.side, eye.tag, lid.around = eye.side, "p", [*lid.around, eye]
    last: Token | None = None
    for token in tokens:
        if token.tag == ".":
            last = None
        if token.tag != "P":
            continue
        if last and not token.side and not plural(token) and token.value != "tooth":
            between = "".join(other.tag for other in tokens[last.place + 1 : token.place])
            listed = re.fullmatch("c[pGly]*", between) and tokens[last.place + 1].text == "and"
            if listed or token.single or _PAIRED.fullmatch(token.text):
                token.side = last.side
        if token.side in OTHER:
            last = token
