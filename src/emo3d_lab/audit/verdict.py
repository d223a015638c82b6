"""What the figures of an audit mean, in sentences: on the page, on the terminal and in cards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from emo3d_lab.audit.result import LEAST, LEVEL, Audit, Estimate, Gap, Swapped

_NAMED = 3  # of a kind, in a sentence


def found(audit: Audit) -> dict[str, list[str]]:
    """What was looked at -> sentences on what was found, each with its figures."""
    sentences = {
        "score": [_scored(audit)],
        "faces": list(_faces(audit)),
        "descriptions": [_slices(audit)],
        "swapped words": list(_texts(audit)),
        "strength": [_strengths(audit)],
    }
    return {what: said for what, said in sentences.items() if said}


def holds_for(audit: Audit) -> str:
    """For whom the score holds."""
    off = -audit.identities.costs[0].off.value
    sentence = (
        "The number is that of one face: anny's adult between the genders, of medium light skin, seen and lit from the "
        "front, and of descriptions in English like those of this dataset. "
    )
    if _is_moved(audit):
        higher = "higher" if off > 0 else "lower"
        return sentence + f"For other faces it is another number, on the panel {abs(off):.2f} {higher} in KL."
    if audit.identities.n < LEAST:
        return sentence + f"Of other faces, nothing is claimed with fewer than {LEAST} expressions."
    return sentence + "No other face that was tried differs beyond chance, which does not show that none does."


def not_measured(audit: Audit) -> list[str]:
    """What the audit does not say."""
    sentences = []
    if audit.texts is None:
        sentences.append("Swapped gender and age words: this takes a generator, so run the audit again with --model.")
    if small := sum(one.gap is None for one in audit.slices):
        slices = "1 slice" if small == 1 else f"{small} slices"
        sentences.append(
            f"Gaps of {slices} with fewer than {LEAST} rows, or fewer than {LEAST} others: shown without a claim."
        )
    return [
        *sentences,
        "Whether another face would change the order of systems, rather than their scores.",
        "People: all faces are renders of one parametric head, the ancestries are MakeHuman's shapes, the tones flat "
        "colours; words are counted, not persons, and rows of one sample count as independent.",
    ]


def number(estimate: Estimate, places: int = 2) -> str:
    """A number with its interval, `0.81 (0.70 to 0.92)`."""
    return _with_ends(estimate, places)


def signed(estimate: Estimate, places: int = 2) -> str:
    """A difference with its interval, `+0.34 (+0.12 to +0.55)`."""
    return _with_ends(estimate, places, "+")


def _with_ends(estimate: Estimate, places: int, sign: str = "") -> str:
    value, low, high = (_rounded(number, places, sign) for number in (estimate.value, *estimate.ends))
    return value if estimate.low is None else f"{value} ({low} to {high})"


def chance(gap: Gap) -> str:
    """A gap's corrected p-value, `p = 0.012`."""
    if gap.p_value is None:
        return "no claim"
    return "p < 0.001" if gap.p_value < 0.001 else f"p = {gap.p_value:.3f}"


def claims(audit: Audit) -> list[tuple[str, Gap]]:
    """All gaps beyond chance, by what is compared."""
    faces = audit.identities
    named: list[tuple[str, Gap | None]] = [
        *((f"{one.factor}: {one.name} vs the rest", one.gap) for one in audit.slices),
        *((f"{one.kind} {one.name} vs default", one.gap) for one in faces.conditions),
        *((f"panel: {one.first} vs {one.second}", one.gap) for one in faces.effects),
        *((f"{one.name} swapped", one.gap) for one in (audit.texts.swaps if audit.texts else ())),
        *((f"toward {one.toward} vs away", one.signed) for one in (audit.texts.swaps if audit.texts else ())),
        *((f"strong vs weak {one.emotion}", one.gap) for one in audit.strengths),
    ]
    return [(what, gap) for what, gap in named if gap and gap.is_claim]


def _scored(audit: Audit) -> str:
    whose = {
        "predictions": "The expressions are the given predictions",
        "model": f"The expressions are what {audit.model} generates",
        "dataset": "The expressions are the dataset's own, so this audits the data and the metric, not a model",
    }[audit.source]
    return (
        f"{whose}. On the default face, {audit.n:,} rows have a KL of {number(audit.kl)}, an Emo3D score of "
        f"{number(audit.emo3d)}; lower is better."
    )


def _slices(audit: Audit) -> str:
    compared = [(f"{one.name} ({one.factor})", one.gap) for one in audit.slices if one.gap]
    if not compared:
        return f"None of {len(audit.slices)} slices has {LEAST} rows and {LEAST} others to be compared with."
    among = f"Large enough to be compared with the rest: {len(compared)} of {len(audit.slices)} slices"
    return f"{among}; of these, {_beyond(compared)}."


def _faces(audit: Audit) -> Iterator[str]:
    faces, worst = audit.identities, audit.identities.worst
    if faces.n < LEAST:
        moved = f"Of other faces, nothing is claimed with fewer than {LEAST} expressions"
    elif _is_moved(audit):
        moved = "Rendered on another face, the same expressions score differently"
    else:
        moved = "Rendered on other faces, the same expressions do not score differently beyond chance"
    yield (
        f"{moved}: KL is {number(faces.default)} on the default face, {number(faces.panel)} on the mean of the panel "
        f"({faces.n:,} expressions). {faces.shares['identity']:.0%} of the panel's variance goes with the face, "
        f"{faces.shares['expression']:.0%} with the expression, the rest with both together."
    )
    yield (
        f"The worst pair of {faces.pairs} is {worst.first} against {worst.second}: {signed(worst.gap.difference)} "
        f"({chance(worst.gap)}; being the worst, it is overstated)."
    )
    if faces.n < LEAST:
        return
    panel = [(one.name, one.gap) for one in faces.conditions if one.kind == "panel"]
    yield f"Of {len(panel)} faces of the panel, each against the default face, {_beyond(panel)}{_by_level(panel)}."
    if faces.effects:
        contrasts = [(f"{one.first} against {one.second}", one.gap) for one in faces.effects]
        among = f"Of {len(contrasts)} contrasts of the panel's faces with each other (age, ancestry, gender, skin tone)"
        yield f"{among}, {_beyond(contrasts)}."
    single = [(f"{one.kind} {one.name}", one.gap) for one in faces.conditions if one.kind != "panel"]
    yield f"Of {len(single)} single changes to the default face (skin tone, child, light), {_beyond(single)}."


def _by_level(panel: list[tuple[str, Gap]]) -> str:
    """How many of the faces that share an age, ancestry or gender are claims, as the plot is coloured."""
    if not any(gap.is_claim for _, gap in panel) or len({name.count("-") for name, _ in panel}) > 1:
        return ""
    parts = []
    for levels in zip(*(name.split("-") for name, _ in panel), strict=True):
        marks = [(level, gap.is_claim) for level, (_, gap) in zip(levels, panel, strict=True)]
        of_level = {level: [mark for other, mark in marks if other == level] for level in dict.fromkeys(levels)}
        parts.append(", ".join(f"{sum(some)} of {len(some)} {level}" for level, some in of_level.items()))
    return f" ({'; '.join(parts)})"


def _texts(audit: Audit) -> Iterator[str]:
    if audit.texts is None:
        return
    control = max((one.moved.value for one in audit.texts.swaps if one.is_control and one.moved), default=None)
    for one in audit.texts.swaps:
        if one.is_control:
            continue
        if one.moved is None:
            yield f"No description has {one.name} to swap."
            continue
        against = "" if control is None else f", controls that say the same by up to {control:.3f}"
        apart = audit.texts.apart
        yard = "" if apart is None else f"; two descriptions of one strongest emotion are {apart.value:.3f} apart"
        yield (
            f"Swapping {one.name} in {one.n:,} descriptions moves a blendshape by {number(one.moved, 3)} on average"
            f"{against}{yard}. {_effect(one)}"
        )


def _effect(one: Swapped) -> str:
    if one.gap is None or one.gap.p_value is None:
        return f"With fewer than {LEAST} such descriptions, no claim is made about the score."
    verb = "changes" if one.gap.is_claim else "does not change beyond chance"
    sentence = f"Their KL {verb}: {signed(one.gap.difference)}, {chance(one.gap)}."
    if one.signed and one.signed.is_claim:
        toward = f"Toward “{one.toward}” it is another than away from it"
        sentence += f" {toward}: {signed(one.signed.difference)}, {chance(one.signed)}."
    return sentence


def _strengths(audit: Audit) -> str:
    compared = [(f"strong {one.emotion}", one.gap) for one in audit.strengths if one.gap]
    if not compared:
        return f"No emotion has {LEAST} weak and {LEAST} strong descriptions, so these are not compared."
    among = (
        f"With enough weak and strong descriptions to be compared: {len(compared)} of {len(audit.strengths)} emotions"
    )
    return f"{among}; of these, {_beyond(compared)}."


def _beyond(gaps: list[tuple[str, Gap]]) -> str:
    """How many of the named gaps are claims, and the furthest of them."""
    off = sorted((one for one in gaps if one[1].is_claim), key=lambda one: -abs(one[1].difference.value))
    if not off:
        return f"none differs beyond chance (corrected p below {LEVEL})"
    named = _listed(f"{name} {signed(gap.difference)}" for name, gap in off[:_NAMED])
    more = "" if len(off) <= _NAMED else ", the furthest"
    return f"{len(off)} {'differs' if len(off) == 1 else 'differ'} beyond chance{more}: {named}"


def _listed(parts: Iterable[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def _is_moved(audit: Audit) -> bool:
    """Whether any other face differs beyond chance; another light is the same face."""
    return any(one.gap.is_claim for one in audit.identities.conditions if one.kind != "light")


def _rounded(number: float, places: int, sign: str = "") -> str:
    rounded = round(number, places)
    return f"{rounded:{sign}.{places}f}" if rounded else f"{0:.{places}f}"  # zero has no sign
