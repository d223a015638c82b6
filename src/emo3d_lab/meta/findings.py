"""What an agreement says, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from emo3d_lab.meta.contrasts import LEVEL
from emo3d_lab.meta.figures import Agreement, Estimate

FEW = 200
"""Comparisons below which a metric that beats nothing says little: 60% is told from 50% by about 200 independent ones,
at 5% with power 0.8 (see `needed_judgements`)."""

_SENTINELS = {
    "sentinel: random": "chance",
    "sentinel: name order": "the order of the systems' names",
    "sentinel: blind": "a metric that does not look at faces",
}


def findings(agreement: Agreement) -> list[str]:
    """What the figures say, the most important first."""
    return [_lead(agreement), _preference(agreement), *_ceiling(agreement), *_not_beaten(agreement)]


def _lead(agreement: Agreement) -> str:
    metrics = agreement.metrics
    if all(metric.not_above for metric in metrics):
        by_chance = all("sentinel: random" in metric.not_above for metric in metrics)
        said = "no metric beats chance" if by_chance else "no metric beats all that cannot know a face"
        return f"{'Too few answers to tell' if agreement.comparisons < FEW else 'None can be said to agree'}: {said}."
    best = [metric for metric in metrics if metric.rank == 1]
    shares = _joined([_with_interval(metric.accuracy) for metric in best])
    if len(best) > 1:
        names = _joined([metric.name for metric in best])
        return (
            f"{names} agree with people most and are not told apart: they answer {shares} of comparisons as people did."
        )
    most = " most" if len(metrics) > 1 else ""
    return f"{best[0].name} agrees with people{most}: it answers {shares} of comparisons as they did."


def _preference(agreement: Agreement) -> str:
    """Which system is above all others: an intersection of tests, so that p is the largest of theirs."""
    systems, human = agreement.systems, agreement.human
    best = max(range(len(systems)), key=lambda place: human[place])
    pairs = [(a, b) for a in range(len(systems)) for b in range(a + 1, len(systems))]
    p_values = {
        a + b - best: 2 * min(p, 1 - p) for (a, b), p in zip(pairs, agreement.human_p, strict=True) if best in (a, b)
    }
    p = max(p_values.values())
    shares = ""
    if agreement.pairs and len(systems) == 2:
        lead = abs(human[0] - human[1])
        shares = f"preferred in {(1 - agreement.tied + lead) / 2:.0%} of answers, the other in "
        shares += f"{(1 - agreement.tied - lead) / 2:.0%}; "
    most = "p" if len(p_values) == 1 else "largest p"
    detail = f"({shares}{most} {'< 0.01' if p < 0.01 else f'= {p:.2f}'}, paired permutation over items)"
    if p < LEVEL:
        others = systems[next(iter(p_values))] if len(p_values) == 1 else f"each of the {len(p_values)} others"
        return f"People prefer {systems[best]} to {others} {detail}."
    near = [systems[other] for other, p in p_values.items() if p >= LEVEL]
    others = _joined(near) if len(near) <= 5 else f"{len(near)} others"
    return f"Which system people prefer cannot be told: {systems[best]} is not told apart from {others} {detail}."


def _ceiling(agreement: Agreement) -> list[str]:
    ceiling, metric = agreement.ceiling.accuracy, agreement.metrics[0]
    if ceiling is None:
        return []
    said = "Where several people answered, the others' mean answer is the judge's in "
    shared = metric.shared_accuracy
    if shared is None:
        return [f"{said}{_with_interval(ceiling)} of comparisons."]
    said += f"{_with_interval(ceiling)} of comparisons, and {metric.name}'s in {_with_interval(shared)}."
    if shared.value > ceiling.value:
        said += " This does not put a metric above people: one or two other judges are noisier than a metric may be."
    return [said]


def _not_beaten(agreement: Agreement) -> list[str]:
    groups: dict[tuple[str, ...], list[str]] = {}
    for metric in agreement.metrics:
        if metric.not_above:
            groups.setdefault(metric.not_above, []).append(metric.name)
    parts = [
        f"{_joined(names)} {'does' if len(names) == 1 else 'do'} not beat "
        + _joined([phrase for name, phrase in _SENTINELS.items() if name in sentinels], "or")
        for sentinels, names in groups.items()
    ]
    return [f"At the level of 5%, {'; '.join(parts)}."] if parts else []


def _with_interval(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.0%}"
    return f"{estimate.value:.0%} (95% interval {estimate.low:.0%} to {estimate.high:.0%})"


def _joined(names: Sequence[str], word: str = "and") -> str:
    """Names as a list of a sentence."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {word} {names[-1]}"
