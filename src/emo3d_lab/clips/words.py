"""The patterns of words by which `beats` splits a text, made of `assets/beats.yaml`."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

import emo3d_lab

NUMBERS = {"half a": 0.5, "a couple of": 2.0, "a few": 3.0, "several": 4.0, "a": 1.0, "an": 1.0, "one": 1.0, "two": 2.0}
NUMBERS |= {"three": 3.0, "four": 4.0, "five": 5.0, "six": 6.0, "seven": 7.0, "eight": 8.0, "nine": 9.0, "ten": 10.0}
UNITS = {"minute": 60.0, "instant": 0.5, "while": 3.0}  # in seconds; the others count as one

_SPAN = rf"(?:\d+(?:\.\d+)?|{'|'.join(NUMBERS)})(?: more| full| long| whole| brief| short| little)?\s*"
_SPAN += r"(?:seconds?|secs?|s|minutes?|moments?|instants?|beats?|while)\b"
_SUDDEN = (
    r"(?:very |quite )?(?:suddenly|abruptly|all at once|all of a sudden|instantly|in a flash|at once|immediately|"
    r"out of nowhere)"
)
_SLOW = r"(?:very |ever so |quite )?(?:slowly|gradually|little by little|bit by bit|over time)"
_MOMENT = (
    r"for (?:just |only |but )?(?:a|one|the) (?:\w+ )?(?:moment|second|instant|heartbeat)|"
    r"briefly|momentarily|fleetingly"
)
_LOOKS = (
    r"(?= (?:up|down|left|right|at|away|around|over|back|into|to|aside|off|straight|directly|out)\b)"  # not "looks sad"
)
_SHE = r"(?:she|he|they|it|i|we|you)"
_OWN = r"(?:the|a|an|her|his|their|its|my|your|our|all|that|this|both)"


class Patterns(NamedTuple):
    """Compiled, all without regard to case."""

    span: re.Pattern[str]  # "two seconds"
    sudden: re.Pattern[str]
    slow: re.Pattern[str]
    bursts: re.Pattern[str]  # verbs that are sudden by themselves
    moment: re.Pattern[str]  # "for a moment"
    lasting: re.Pattern[str]  # "for two seconds"
    manner_first: re.Pattern[str]  # a clause that begins with a word of manner, and goes on
    connective: re.Pattern[str]  # groups comma, link, word
    later: re.Pattern[str]  # connectives that say how much later
    stray_then: re.Pattern[str]  # "now and": what is before a "then" that is no connective
    verb: re.Pattern[str]  # any form of any verb
    feeling: re.Pattern[str]
    acts: re.Pattern[str]  # a clause that begins with a finite verb, perhaps behind its pronoun (group subject)
    changes: re.Pattern[str]  # the same, with a verb of change
    gestures: re.Pattern[str]  # the same, with a wink or blink
    winking: re.Pattern[str]  # a clause whose verb is a wink or blink
    timed: re.Pattern[str]  # what "before" and "after" join as a clause
    aside: re.Pattern[str]  # a clause that only says when or with what
    attempt: re.Pattern[str]  # "tries to": what a "but" then ends
    release: re.Pattern[str]  # group what: the feeling that ends
    ending: re.Pattern[str]  # "dries her tears": what ends shows meanwhile, and what follows is another beat
    denial: re.Pattern[str]  # "does not", "can't seem to": what is denied comes right behind it
    turning: re.Pattern[str]  # " turns into " between two feelings
    part: re.Pattern[str]  # a sentence about a part of the face
    keeps: re.Pattern[str]  # what moves no face: "nods", "a pause"


@cache
def patterns() -> Patterns:
    """The patterns, compiled once."""
    table = yaml.safe_load((Path(emo3d_lab.__file__).parent / "assets/beats.yaml").read_text("utf-8"))
    verbs, changes, gestures = (table[kind].split() for kind in ("verbs", "changes", "gestures"))
    every, change, gesture = (_forms(words) for words in ([*verbs, *changes], changes, gestures))
    every[0][:] = [form + _LOOKS if form in ("looks", "looked") else form for form in every[0]]
    finite, changing, winking = ("|".join(forms[0]) for forms in (every, change, gesture))
    going = "|".join(every[1])
    base = "|".join(word.partition(":")[0] for word in [*verbs, *changes])
    feelings, parts, ends = ("|".join(table[kind].split()) for kind in ("feelings", "parts", "ends"))
    known = "finally|eventually|soon|still|just|also|even|only|then"
    # A word that two of these match would be tried both ways, and n of them in 2^n.
    adverb = rf"(?:(?:{_SUDDEN}|{_SLOW}|{_MOMENT}|{known}|(?!(?:{_SUDDEN}|{_SLOW}|{_MOMENT}|{known})\b)\w+ly),? +)"
    starts = rf"^(?P<subject>{_SHE} +)?{adverb}*"
    hard = (
        r"(?:right |just |shortly |soon )?(?:after that|afterwards?|thereafter)|"
        rf"after (?:about )?{_SPAN}|{_SPAN} later|"
        r"then|the next (?:moment|second|minute|instant)|followed by|before long|when(?= suddenly| all )"
    )
    openings = r"finally|eventually|at last|in the end|lastly|soon|next|the next|one moment"
    head = rf"{openings}|at first|initially|first|to begin with"
    noun = rf"{_OWN} (?:\w+ ){{0,2}}?(?:{feelings})"
    into = rf"(?:{_OWN} )?(?:(?!to\b|from\b)[\w-]+ ){{0,2}}?(?:{feelings})\b"
    self = r"(?:her|him|them|it)sel(?:f|ves)"
    release = "|".join(
        (
            rf"\b(?:stop|quit)(?:s|ped)? \w+ing|\bceases? to \w+|\bstop(?:s|ped)?(?: {self})?\W*$|\bno longer\b",
            r"\b(?:not|n't) \w+ any ?more\b",
            r"\b(?:is|was|does|did)(?:n't| not)\W*$|\b(?:calm|cool|settle|quiet|quieten)(?:s|ed|d)? down\b",
            rf"\bcalms {self}\b|\brelaxes\b(?! in)|\b(?:compose|collect)(?:s|d) {self}|\bpull(?:s|ed)? {self} together",
            r"\bregain(?:s|ed)? (?:\w+ )?(?:composure|calm|control)",
            r"\b(?:goes|went|turns|becomes|falls|fell) (?:blank|expressionless|silent|quiet|still)",
            r"\b(?:back|return(?:s|ed)?) to (?:normal|neutral|rest|calm|a (?:neutral|calm|blank) \w+)",
            rf"\b(?P<what>{noun}) {adverb}*(?:{ends})(?: away| out)?\b(?! (?:in)?to\b)",
        )
    )
    ending = (
        rf"\b(?:(?:dr(?:y|ies|ied)|wip(?:e[sd]?)|brush(?:es|ed)?)(?: away| off)?|blink(?:s|ed)? (?:away|back)) "
        rf"(?:{_OWN} )?(?:\w+ )??(?:tears?|eyes|cheeks)\b|"
        r"\b(?:swallow(?:s|ed)?|overc[ao]mes?|forg[eo]ts?|(?:shakes?|shook|shrug(?:s|ged)?) off|lets? go of|"
        rf"g[eo]ts? over|(?:puts?|push(?:es|ed)?) (?:aside|away)) (?:{_OWN} )?(?:\w+ )??(?:{feelings})\b"
    )
    subject = rf"(?:{_SHE} |{_OWN} (?:\w+ ){{1,3}})?"
    head_only = (
        r"nod\w*|shak\w+ (?:\w+ )?head|(?:tilt|bow|lower|rais|lift|turn)\w* (?:\w+ )?head|turn\w* (?:away|around|back)|"
        r"paus\w+|waits?|hesitates?|silence|(?:a )?(?:\w+ )?pause|holds? still|freezes?|listens?"
    )
    sources = dict(
        span=_SPAN,
        sudden=rf"\b(?:{_SUDDEN})\b",
        bursts=rf"\b(?:{'|'.join(form for forms in _forms(table['bursts'].split()) for form in forms)})\b",
        slow=rf"\b(?:{_SLOW})\b",
        moment=rf"\b(?:{_MOMENT})\b",
        lasting=rf"\bfor (?:about |almost |nearly |another )?{_SPAN}",
        manner_first=rf"^(?:{_SUDDEN}|{_SLOW}|{_MOMENT}),? +(?!and\b|but\b)\w",
        connective=rf"(?P<comma>\s*[,:—–]\s*|\s+-+\s+|\s+)(?:(?P<link>and|but|yet)\b\s*)?"
        rf"(?:(?P<word>{hard}|{head}|until|till|before|after)\b\s*,?\s*)?",
        later=rf"^(?:after (?:about )?(?P<span>{_SPAN})|(?P<late>{_SPAN}) later)",
        stray_then=r"\b(?:now and|since|by|back|even|until|till|from|every now and|just|if \w+)\s*$",
        verb=rf"\b(?:{finite}|{going}|{base}|is|are|was|were|am|be|has|have|had|feels?|felt|seems?|appears?)\b|'s\b|'re\b",
        feeling=rf"\b(?:{feelings})\b",
        acts=rf"{starts}(?P<verb>{finite})\b",
        changes=rf"{starts}(?P<verb>{changing})\b(?! (?:to|toward|towards|away|around|back|his|her|left|right|the)\b)",
        gestures=rf"{starts}(?:{winking})\b",
        winking=rf"^{subject}{adverb}*(?:{winking})\b|\b(?:a|one) (?:\w+ )?(?:{'|'.join(gestures)})\b",
        timed=rf"^(?:{adverb}*(?:{going})\b|{_SHE} {adverb}*(?:{finite}|is|was|are|has|had)\b|{noun}\b)",
        aside=r"^\W*(?:while|as|when|whenever|if|because|since|although|though|once|with|despite|unlike|in|at|on|by|like)\b",
        attempt=r"\b(?:tr(?:y|ies|ied)|wants?|wanted|attempts?|(?:is|was) about|almost|nearly|struggl\w+|fights?)\b",
        release=release,
        ending=ending,
        denial=r"\b(?:(?:do|does|did|can|could|will|would|is|was|has|had|wo|ca)(?: not|n['’]t)|cannot|never|not)"
        r"(?: (?:ever|even|quite|yet|seem(?:s|ed)? to|want(?:s|ed)? to|able to|going to|\w+ly))* *$",
        turning=rf"(?<=\w)\s+{adverb}*(?:(?:turn|chang|fad|melt|dissolv|morph|shift|transform|soften|harden|twist)\w*"
        r"(?: in)?to|becomes?|became|gives? way to|giving way to|gave way to|(?:is |are )?(?:\w+ly )?replaced by|to)\s+"
        rf"(?={into})",
        part=rf"^(?:{_OWN} )?(?:\w+ ){{0,2}}?(?:{parts})\b|^there (?:is|are)\b",
        keeps=rf"^{subject}{adverb}*(?:{head_only})"
        rf"(?: (?:again|slightly|slowly|gently|once|twice|{_MOMENT}|for {_SPAN}))*\W*$",
    )
    return Patterns(**{name: re.compile(source, re.I) for name, source in sources.items()})


def _forms(words: list[str]) -> tuple[list[str], list[str]]:
    """Finite forms (-s, -ed) and -ing of verbs."""
    finite, going = [], []
    for entry in words:
        word, _, more = entry.partition(":")
        stem = word[:-1] if re.search("[^aeiou]y$", word) else word
        finite += [stem + "ies", stem + "ied"] if stem != word else []
        finite += [word + "es"] if re.search("(?:s|sh|ch|x|z|o)$", word) else [word + "s"]
        finite += [word + "d" if word.endswith("e") else word + "ed"]
        going += [(word[:-1] if word.endswith("e") and not word.endswith("ee") else word) + "ing"]
        going += [form for form in more.split(",") if form.endswith("ing")]
        finite += [form for form in more.split(",") if form and not form.endswith("ing")]
    return finite, going
