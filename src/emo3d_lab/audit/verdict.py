"""The figures of an audit in sentences, for the page, the terminal and cards."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from emo3d_lab.audit.figures import LEAST, LEVEL, Estimate, Gap, ReaderAudit, Swapped
from emo3d_lab.audit.result import Audit
from emo3d_lab.sentinels import Reading, verdict_line

_MOST = 3  # of a kind, in a sentence


def findings(audit: Audit) -> dict[str, list[str]]:
    """Topic -> sentences with figures."""
    topics = {
        "score": [_score(audit)],
        "sentinels": _sentinels(audit),
        "emotion readers": [_reading(reading) for reading in audit.readings],
        "faces": list(_faces(audit)),
        "descriptions": [_slices(audit)],
        "swapped words": list(_texts(audit)),
        "strength": [_strengths(audit)],
    }
    return {topic: sentences for topic, sentences in topics.items() if sentences}


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
    """The limits of the audit."""
    sentences = []
    if audit.texts is None:
        sentences.append("Swapped gender and age words: this takes a generator, so run the audit again with --model.")
    if small := sum(rows.gap is None for rows in audit.slices):
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


def number(estimate: Estimate, places: int = 2, sign: str = "") -> str:
    """A number with its interval, `0.81 (0.70 to 0.92)`."""
    numbers = [round(value, places) for value in (estimate.value, *estimate.ends)]
    value, low, high = (f"{value:{sign}.{places}f}" if value else f"{0:.{places}f}" for value in numbers)
    return value if estimate.low is None else f"{value} ({low} to {high})"


def difference(gap: Gap | Estimate, places: int = 2) -> str:
    """A difference with its interval, `+0.34 (+0.12 to +0.55)`."""
    return number(gap.difference if isinstance(gap, Gap) else gap, places, "+")


def p_value(gap: Gap) -> str:
    """A gap's corrected p-value, `p = 0.012`."""
    if gap.p_value is None:
        return "no claim"
    return "p < 0.001" if gap.p_value < 0.001 else f"p = {gap.p_value:.3f}"


def claims(audit: Audit) -> list[tuple[str, Gap]]:
    """All gaps beyond chance, by their names."""
    faces, swaps = audit.identities, audit.texts.swaps if audit.texts else ()
    gaps: list[tuple[str, Gap | None]] = [
        *((f"{rows.factor}: {rows.name} vs the rest", rows.gap) for rows in audit.slices),
        *((f"{face.kind} {face.name} vs default", face.gap) for face in faces.conditions),
        *((f"panel: {pair.first} vs {pair.second}", pair.gap) for pair in faces.effects),
        *((f"{swap.name} swapped", swap.gap) for swap in swaps),
        *((f"toward {swap.toward} vs away", swap.signed) for swap in swaps),
        *((f"strong vs weak {strength.emotion}", strength.gap) for strength in audit.strengths),
    ]
    return [(name, gap) for name, gap in gaps if gap and gap.is_claim]


def _score(audit: Audit) -> str:
    origin = {
        "predictions": "The expressions are the given predictions",
        "model": f"The expressions are what {audit.model} generates",
        "dataset": "The expressions are the dataset's own, so this audits the data and the metric, not a model",
    }[audit.source]
    return (
        f"{origin}. On the default face, {audit.n:,} rows have a KL of {number(audit.kl)}, an Emo3D score of "
        f"{number(audit.emo3d)}; lower is better."
    )


def _sentinels(audit: Audit) -> list[str]:
    if not audit.sentinels:
        return []
    readings = [Reading(row.reader, row.kl.value, None) for row in audit.readings if row.kl]
    said = verdict_line(audit.kl.value, audit.sentinels, readings)
    return [f"Beside systems that do not do the task, it is {said}."]


def _reading(reading: ReaderAudit) -> str:
    lost = f"; in {reading.not_found:,} more it finds no face" if reading.not_found else ""
    if reading.kl is None or reading.top1 is None:
        return f"{reading.reader}, which is no part of the score, can judge none of the rows{lost}."
    return (
        f"{reading.reader}, which is no part of the score, judges {reading.n:,} rows: the likeliest emotion is the one "
        f"described in a share of {number(reading.top1)}, the KL over the emotions that it knows is "
        f"{number(reading.kl)}{lost}."
    )


def _slices(audit: Audit) -> str:
    gaps = [(f"{rows.name} ({rows.factor})", rows.gap) for rows in audit.slices if rows.gap]
    if not gaps:
        return f"None of {len(audit.slices)} slices has {LEAST} rows and {LEAST} others to be compared with."
    among = f"Large enough to be compared with the rest: {len(gaps)} of {len(audit.slices)} slices"
    return f"{among}; of these, {_beyond(gaps)}."


def _faces(audit: Audit) -> Iterator[str]:
    faces, worst = audit.identities, audit.identities.worst
    if faces.n < LEAST:
        effect = f"Of other faces, nothing is claimed with fewer than {LEAST} expressions"
    elif _is_moved(audit):
        effect = "Rendered on another face, the same expressions score differently"
    else:
        effect = "Rendered on other faces, the same expressions do not score differently beyond chance"
    yield (
        f"{effect}: KL is {number(faces.default)} on the default face, {number(faces.panel)} on the mean of the panel "
        f"({faces.n:,} expressions). {faces.shares['identity']:.0%} of the panel's variance goes with the face, "
        f"{faces.shares['expression']:.0%} with the expression, the rest with both together."
    )
    yield (
        f"The worst pair of {faces.pairs} is {worst.first} against {worst.second}: {difference(worst.gap)} "
        f"({p_value(worst.gap)}; being the worst, it is overstated)."
    )
    if faces.n < LEAST:
        return
    panel = [(face.name, face.gap) for face in faces.conditions if face.kind == "panel"]
    yield f"Of {len(panel)} faces of the panel, each against the default face, {_beyond(panel)}{_by_level(panel)}."
    if faces.effects:
        contrasts = [(f"{pair.first} against {pair.second}", pair.gap) for pair in faces.effects]
        among = f"Of {len(contrasts)} contrasts of the panel's faces with each other (age, ancestry, gender, skin tone)"
        yield f"{among}, {_beyond(contrasts)}."
    single = [(f"{face.kind} {face.name}", face.gap) for face in faces.conditions if face.kind != "panel"]
    yield f"Of {len(single)} single changes to the default face (skin tone, child, light), {_beyond(single)}."


def _by_level(panel: list[tuple[str, Gap]]) -> str:
    """How many of the faces that share an age, ancestry or gender are claims, as the plot is coloured."""
    if not any(gap.is_claim for _, gap in panel) or len({name.count("-") for name, _ in panel}) > 1:
        return ""
    parts = []
    for levels in zip(*(name.split("-") for name, _ in panel), strict=True):
        marks: dict[str, list[bool]] = {}
        for level, (_, gap) in zip(levels, panel, strict=True):
            marks.setdefault(level, []).append(gap.is_claim)
        parts.append(", ".join(f"{sum(claims)} of {len(claims)} {level}" for level, claims in marks.items()))
    return f" ({'; '.join(parts)})"


def _texts(audit: Audit) -> Iterator[str]:
    if audit.texts is None:
        return
    swaps, apart = audit.texts.swaps, audit.texts.apart
    control = max((swap.moved.value for swap in swaps if swap.is_control and swap.moved), default=None)
    against = "" if control is None else f", controls that say the same by up to {control:.3f}"
    yard = "" if apart is None else f"; two descriptions of one strongest emotion are {apart.value:.3f} apart"
    for swap in swaps:
        if swap.is_control:
            continue
        if swap.moved is None:
            yield f"No description has {swap.name} to swap."
            continue
        yield (
            f"Swapping {swap.name} in {swap.n:,} descriptions moves a blendshape by {number(swap.moved, 3)} on average"
            f"{against}{yard}. {_effect(swap)}"
        )


def _effect(swap: Swapped) -> str:
    if swap.gap is None or swap.gap.p_value is None:
        return f"With fewer than {LEAST} such descriptions, no claim is made about the score."
    verb = "changes" if swap.gap.is_claim else "does not change beyond chance"
    sentence = f"Their KL {verb}: {difference(swap.gap)}, {p_value(swap.gap)}."
    if swap.signed and swap.signed.is_claim:
        toward = f"Toward “{swap.toward}” it is another than away from it"
        sentence += f" {toward}: {difference(swap.signed)}, {p_value(swap.signed)}."
    return sentence


def _strengths(audit: Audit) -> str:
    gaps = [(f"strong {strength.emotion}", strength.gap) for strength in audit.strengths if strength.gap]
    if not gaps:
        return f"No emotion has {LEAST} weak and {LEAST} strong descriptions, so these are not compared."
    among = f"With enough weak and strong descriptions to be compared: {len(gaps)} of {len(audit.strengths)} emotions"
    return f"{among}; of these, {_beyond(gaps)}."


def _beyond(gaps: list[tuple[str, Gap]]) -> str:
    """How many of the named gaps are claims, and the furthest of them."""
    claims = [(name, gap) for name, gap in gaps if gap.is_claim]
    if not claims:
        return f"none differs beyond chance (corrected p below {LEVEL})"
    claims.sort(key=lambda claim: -abs(claim[1].difference.value))
    furthest = _enumerate(f"{name} {difference(gap)}" for name, gap in claims[:_MOST])
    more = "" if len(claims) <= _MOST else ", the furthest"
    return f"{len(claims)} {'differs' if len(claims) == 1 else 'differ'} beyond chance{more}: {furthest}"


def _enumerate(parts: Iterable[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last


def _is_moved(audit: Audit) -> bool:
    """Whether any other face differs beyond chance; another light is the same face."""
    return any(face.gap.is_claim for face in audit.identities.conditions if face.kind != "light")
