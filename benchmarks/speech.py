"""An emotion over speech: do lips close as the speech has them, is the emotion still seen, how long does a step take.

    python benchmarks/speech.py [--reader face-api] [--motion]

`--motion` measures how far every unit moves the lips, which `emo3d_lab.clips.speech` has as its table of priorities.
The faces are the recipe book's, on people that the compositor's constants were not chosen with: those were chosen by
the gap of the lips on "woman", and by the quickstart backbone on "adult", with the emotions' prototypes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator

import numpy as np
from rich.console import Console
from rich.table import Table

from emo3d.clips import CHANNELS, Clip
from emo3d.emotions import EMOTIONS
from emo3d.face import TARGETS, FaceRig
from emo3d.face.heads import head_arrays
from emo3d.face.identities import NAMED
from emo3d_lab.avatars.shapes import COMPOSED
from emo3d_lab.clips.speech import Compositor, compose
from emo3d_lab.clips.visemes import Cue, speech_of_cues
from emo3d_lab.heads.mouth import lip_gap
from emo3d_lab.recipes import recipes

CONSOLE = Console(width=140)
RATE = 30.0
# Sentences as the visemes of their sounds; a comma is a pause of 0.4 s.
SENTENCES = {
    "My mother bought a big piano, perhaps she plays": "PP aa I PP O TH RR PP O DD aa PP I kk PP I aa nn O , PP RR aa "
    "PP SS CH I PP nn E I SS",
    "Five brave people found the boat before winter": "FF aa I FF PP RR E I FF PP I PP nn FF aa U nn DD TH aa PP O DD "
    "PP I FF O RR U I nn DD RR",
    "Oh, who is in the queue, you said": "O , U I SS I nn TH aa kk I U , I U SS E DD",
    "But maybe, he might move": "PP aa DD PP E I PP I , kk I PP aa I DD PP U FF",
}
PEOPLE = ("old-african-man", "young-asian-woman", "boy")  # the compositor was made with others


def tracks() -> dict[str, tuple[Clip, np.ndarray]]:
    """Speech, and the frames in which its lips are closed at their target."""
    rng, answer = np.random.default_rng(0), {}
    for text, visemes in SENTENCES.items():
        cues, clock = [], 0.2
        for name in visemes.split():
            length = 0.4 if name == "," else rng.uniform(0.07, 0.16)
            if name != ",":
                cues.append(Cue(clock, clock + length, name))
            clock += length
        clip = speech_of_cues(cues, RATE)
        middles = [round((cue.start + cue.end) / 2 * RATE) for cue in cues if cue.viseme in ("PP", "FF")]
        answer[text] = clip, np.array(sorted(set(middles)))
    clip, closures = answer[next(iter(SENTENCES))]
    answer["as captured: " + next(iter(SENTENCES))] = _as_captured(clip, rng), closures
    return answer


def _as_captured(clip: Clip, rng: np.random.Generator) -> Clip:
    """What a phone would have of it: 70% as strong, slower, never quite at rest, with noise, blinks and a turn."""
    weights = np.exp(-0.5 * (np.arange(-2, 3) / 0.8) ** 2)
    frames = np.stack([np.convolve(line, weights / weights.sum(), mode="same") for line in clip.frames.T], axis=1) * 0.7
    frames[:, :52] += np.abs(rng.normal(0, 0.01, (len(frames), 52)))
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        frames[40:46, CHANNELS.index(name)] = [0.4, 0.9, 1, 0.8, 0.5, 0.2]
    frames[:, CHANNELS.index("headYaw")] = 0.1 * np.sin(np.arange(len(frames)) / 20)
    return Clip(np.clip(frames, -1, 1), clip.rate)


def stills() -> Iterator[tuple[str, np.ndarray]]:
    """Everyday expressions of the recipe book that show one emotion, and a face at rest."""
    yield "neutral", np.zeros(len(TARGETS) - 1)
    for name, recipe in recipes().items():
        if recipe.kind == "everyday" and recipe.emotion and not name.endswith(" right"):
            yield recipe.emotion, recipe.expression


def measure_motion() -> None:
    """The table of `emo3d_lab.clips.speech`: opening in aa, parting in PP or FF, of both sides at 1, mm."""
    whole = ("jawLeft", "jawRight", "mouthLeft", "mouthRight")
    stems = dict.fromkeys(name if name in whole else name.replace("Left", "").replace("Right", "") for name in TARGETS)
    rows: dict[str, list[tuple[float, float]]] = {}
    for person in NAMED.values():
        head = head_arrays(person)
        closed, opened = [COMPOSED["viseme_PP"], COMPOSED["viseme_FF"]], COMPOSED["viseme_aa"]
        sealed, vowel = [gaps(head, weights)[0] for weights in closed], gaps(head, opened)[1]
        rows.setdefault("aa", []).append((vowel, max(sealed)))
        for stem in stems:
            unit = np.array([name in (stem, f"{stem}Left", f"{stem}Right") for name in TARGETS], float)
            parts = [gaps(head, rest + unit)[0] - gap for rest, gap in zip(closed, sealed, strict=True)]
            rows.setdefault(stem, []).append(((gaps(head, opened + unit / 2)[1] - vowel) * 2, max(parts)))
    table = Table("unit", "opens an open mouth by", "parts closed lips by", title="mm, mean of all named heads")
    for stem, values in rows.items():
        opening, parting = np.mean(values, axis=0)
        if max(abs(opening), parting) >= 0.25:
            table.add_row(stem, f"{opening:.1f}", f"{parting:.1f}")
    CONSOLE.print(table)


def gaps(head: dict[str, np.ndarray], weights: np.ndarray) -> tuple[float, float]:
    """The gap between the lips at its widest, and its mean over the middle 24 mm; mm."""
    vertices = head["neutral"] + np.tensordot(weights, head["deltas"][: len(weights)], 1)
    across, gap, _ = lip_gap(vertices, head)
    return gap.max() * 1e3, gap[np.abs(across) < 0.012].mean() * 1e3


def measure_lips(people: tuple[str, ...]) -> None:
    """At every closure: how much wider the lips are than those of the speech alone, as a share of its range."""
    columns = "closures", "mean", "within 5%", "worst of cues", "worst as captured", "worst, mm", "vowels: mean change"
    table = Table("emotion", *columns, title="Lips")
    speech = tracks()
    sums: dict[str, list[tuple[float, float, bool]]] = {emotion: [] for emotion in EMOTIONS}
    vowels: dict[str, list[float]] = {emotion: [] for emotion in EMOTIONS}
    for person in people:
        head = head_arrays(NAMED[person])
        for text, (clip, closures) in speech.items():
            alone = np.array([gaps(head, frame)[0] for frame in clip.units])
            widest, peaks = alone.max() - alone.min(), np.argsort(alone)[-5:]
            for emotion, weights in stills():
                composed = compose(clip, weights).units
                apart = [gaps(head, composed[frame])[0] - alone[frame] for frame in closures]
                sums[emotion] += [(gap / widest, gap, text.startswith("as captured")) for gap in apart]
                vowels[emotion] += [(gaps(head, composed[frame])[0] - alone[frame]) / widest for frame in peaks]
    for emotion, values in sums.items():
        shares, wide, captured = np.abs(np.array(values)).T
        worst = [f"{shares[captured == kind].max():.1%}" for kind in (0, 1)]
        means = f"{shares.mean():.1%}", f"{(shares <= 0.05).mean():.1%}"
        table.add_row(
            emotion, str(len(shares)), *means, *worst, f"{wide.max():.2f}", f"{np.mean(vowels[emotion]):+.1%}"
        )
    CONSOLE.print(table, f"heads: {', '.join(people)}; {len(speech)} tracks; the bar: 5% at worst")


def measure_seen(name: str, people: tuple[str, ...], per_second: int = 6) -> None:
    """What a reader sees of the emotion with speech, as a share of what it sees without."""
    from emo3d_lab.readers import load_reader

    reader, speech, rng = load_reader(name), tracks(), np.random.default_rng(0)
    table = Table("emotion", "without speech", "with speech", "share (95%)", "still likeliest (95%)", title=reader.name)
    everything = []
    for emotion in reader.emotions:
        place, rows = reader.emotions.index(emotion), []
        variants = [weights for other, weights in stills() if other == emotion]
        for person in people:
            rig = FaceRig.from_anny(person)
            before = reader.read_expressions(variants, rig=rig)
            after, kept = [], []
            for clip, _ in speech.values():
                frames = [compose(clip, weights).expressions[:: int(RATE / per_second)] for weights in variants]
                answer = reader.read_expressions(np.concatenate(frames), rig=rig)
                after.append(answer[:, place].reshape(len(variants), -1).mean(axis=1))
                kept.append((answer.argmax(axis=1) == place).reshape(len(variants), -1).mean(axis=1))
            seen = np.where(before.argmax(axis=1) == place, np.mean(kept, axis=0), np.nan)
            rows += list(zip(before[:, place], np.mean(after, axis=0), seen, strict=True))
        table.add_row(emotion, *_shares(np.array(rows), rng))
        everything += rows if emotion != "neutral" else []
    table.add_row("all but neutral", *_shares(np.array(everything), rng))
    CONSOLE.print(table, "intervals: of faces (an expression on a person) drawn again")


def _shares(values: np.ndarray, rng: np.random.Generator) -> list[str]:
    """Before, after, and shares with intervals, of faces (N, 3)."""
    draws = values[rng.integers(len(values), size=(2000, len(values)))]
    lines = draws[..., 1].sum(axis=1) / draws[..., 0].sum(axis=1), np.nanmean(draws[..., 2], axis=1)
    ends = [" to ".join(f"{end:.0%}" for end in np.nanpercentile(line, (2.5, 97.5))) for line in lines]
    before, after, _ = values.mean(axis=0)
    means = after / before, np.nanmean(values[:, 2])
    shares = [f"{mean:.0%} ({end})" for mean, end in zip(means, ends, strict=True)]
    return [f"{before:.2f}", f"{after:.2f}", *shares]


def measure_steps(count: int = 3000) -> None:
    clip, _ = next(iter(tracks().values()))
    smile = next(weights for emotion, weights in stills() if emotion == "happiness")
    felt, compositor = np.r_[smile, np.zeros(10)], Compositor(RATE)
    idle, steps = [], []
    for place in range(count):
        frame = clip.frames[place % len(clip)]
        started = time.perf_counter()
        np.clip(frame + felt, 0, 1)
        idle.append(time.perf_counter() - started)
        started = time.perf_counter()
        compositor.step(frame, felt)
        steps.append(time.perf_counter() - started)
    median, most = np.percentile(steps, (50, 99)) * 1e3
    base, most_base = np.percentile(idle, (50, 99)) * 1e3
    CONSOLE.print(
        f"a step: {median:.3f} ms, 99 of 100 under {most:.3f} ms; numpy's clip of a sum of 61: {base:.4f} and "
        f"{most_base:.4f} ms, so {median / base:.0f} times that (the bar: 0.2 ms)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reader", default="face-api")
    parser.add_argument("--motion", action="store_true", help="measure the units' motion instead")
    options = parser.parse_args()
    if options.motion:
        return measure_motion()
    measure_steps()
    measure_lips(PEOPLE)
    measure_seen(options.reader, PEOPLE)


if __name__ == "__main__":
    main()
