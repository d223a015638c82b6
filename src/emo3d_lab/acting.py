"""An inspect-ai task: which language model can act? It is asked for blendshapes, and its faces are scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from emo3d.hints import extra_named
from emo3d.scoring import QUICKSTART, Emo3DResult, Emo3DScorer, References, ScoreSettings, emo3d_score, open_references
from emo3d.scoring.settings import signature_fields
from emo3d_lab.generators.language_model import EXPRESSION, make_messages, to_expressions

with extra_named():
    from inspect_ai import Task, task
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import ChatMessageAssistant, ChatMessageUser, GenerateConfig
    from inspect_ai.scorer import Metric, SampleScore, Score, Scorer, Target, mean, metric, scorer, stderr
    from inspect_ai.solver import Generate, Solver, TaskState, solver

_MESSAGES = {"user": ChatMessageUser, "assistant": ChatMessageAssistant}


def _of_emo3d(function: Callable[..., Any]) -> Callable[..., Any]:
    """Inspect names what is registered after the package of its module: emo3d/acting, as the distribution is called."""
    function.__module__ = "emo3d"
    return function


@task
@_of_emo3d
def acting(
    dataset: str = "sample",
    config: str | None = None,
    split: str = "test",
    backbone: str = QUICKSTART,
    revision: str | None = None,
    variant: str = "paper",
    k: int = 10,
    identity: str = "adult",
    identities: int = 1,
    retries: int = 2,
) -> Task:
    """Ask a language model for blendshapes of every description of a dataset, and score its faces.

    Args:
        dataset: of the descriptions, what `emo3d score` takes as references; their emotions are the bank.
        config: of the dataset.
        split: of the dataset.
        backbone: id of the dual encoder, or `"quickstart"`.
        revision: of the backbone.
        variant: of the score, with `k`, `identity` and `identities`; see `ScoreSettings`.
        k: descriptions retrieved for each face.
        identity: whose face is rendered.
        identities: above 1, the score is a mean over so many faces of the panel.
        retries: how often is asked again after an answer that cannot be used.
    """
    settings = {"variant": variant, "k": k, "backbone": backbone, "revision": revision}
    settings |= {"identity": identity, "identities": identities}
    stage = load_stage(dataset, config, split, **settings)
    samples = [
        Sample(
            id=row + 1,
            input=[_MESSAGES[message["role"]](content=message["content"]) for message in make_messages(description)],
            metadata={"description": description, "row": row},
        )
        for row, description in enumerate(stage.references.descriptions)
    ]
    return Task(
        dataset=MemoryDataset(samples, name=dataset),
        solver=act(retries),
        scorer=face_score(dataset, config, split, **settings),
        config=GenerateConfig(temperature=0.0, max_tokens=1024),
        metadata={"signature": stage.score({}, 0).signature},
    )


@dataclass(frozen=True, eq=False)
class Stage:
    """What faces are scored with.

    Attributes:
        references: descriptions with their emotions.
        scorer: with the references as its bank.
    """

    references: References
    scorer: Emo3DScorer

    def score(self, answer: Mapping[str, float], row: int) -> Emo3DResult:
        """Score the face of an answer for the description of a row."""
        reference = References([self.references.descriptions[row]], self.references.intensities[row : row + 1])
        self.scorer.reset()
        self.scorer.update(to_expressions([answer]), reference)
        return self.scorer.compute()


@lru_cache(maxsize=2)
def load_stage(dataset: str, config: str | None, split: str, **settings: Any) -> Stage:
    """Load references and backbone, and score a first face: what is wrong with them is said before a model is asked.

    Raises:
        ValueError: what `open_references`, `ScoreSettings` and `score` refuse.
        OSError: the dataset or the backbone cannot be loaded.
    """
    references = open_references(dataset, config, split)
    # One face at a time, so that a score does not depend on which answers come together.
    scorer = Emo3DScorer(ScoreSettings(space="weights", **settings), batch_size=1).fit(references)
    stage = Stage(references, scorer)
    stage.score({}, 0)
    return stage


@solver
@_of_emo3d
def act(retries: int = 2) -> Solver:
    """Ask for blendshapes; an answer that cannot be used is told to the model, and asked for again."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        for attempt in range(retries + 1):
            state = await generate(state)
            try:
                EXPRESSION.parse(state.output.completion)
                break
            except ValueError as error:
                if attempt < retries:
                    state.messages.append(ChatMessageUser(content=EXPRESSION.complaint(error)))
        return state

    return solve


@metric
@_of_emo3d
def score() -> Metric:
    """The Emo3D score of the mean divergence: 0..1, lower is better, 0.5 for a divergence of 0."""

    def compute(scores: list[SampleScore]) -> float:
        if not scores:  # inspect asks before the first is there
            return float("nan")
        return emo3d_score(float(np.mean([score.score.as_float() for score in scores])), _alpha(scores))

    return compute


@metric
@_of_emo3d
def score_stderr() -> Metric:
    """Standard error of the Emo3D score: that of the mean divergence, times the slope of the score there."""
    value_of, error_of = score(), stderr(cluster="description")

    def compute(scores: list[SampleScore]) -> float:
        if not scores:
            return float("nan")
        value = value_of(scores)
        return value * (1 - value) / _alpha(scores) * error_of(scores)

    return compute


def _alpha(scores: list[SampleScore]) -> float:
    metadata = scores[0].score.metadata or {}
    return float(signature_fields(metadata["signature"])["alpha"])


_MEAN = [mean(), stderr(cluster="description")]  # rows of one description are not independent


@scorer(
    metrics={
        "kl_divergence": [*_MEAN, score(), score_stderr()],
        "kl_divergence_of_read": _MEAN,
        "recall_at_k": _MEAN,
        "unread": _MEAN,
    }
)
@_of_emo3d
def face_score(dataset: str = "sample", config: str | None = None, split: str = "test", **settings: Any) -> Scorer:
    """Score the face of an answer; one that cannot be read is the face at rest, and counted as `unread`.

    A rig that is told nothing is at rest: so a model gains nothing by leaving out what is hard.

    Args:
        dataset: as for `acting`, like all others.
        config: of the dataset.
        split: of the dataset.
        settings: of the score.
    """
    stage = load_stage(dataset, config, split, **settings)

    async def compute(state: TaskState, target: Target) -> Score:
        answer = state.output.completion
        problem = ""
        try:
            scores = EXPRESSION.parse(answer)
        except ValueError as error:
            scores, problem = {}, f"scored as a face at rest: {error}"
        result = stage.score(scores, state.metadata["row"])
        value = {
            "kl_divergence": result.kl_divergence,
            "kl_divergence_of_read": float("nan") if problem else result.kl_divergence,
            "recall_at_k": result.recall_at_k or 0.0,
            "unread": float(bool(problem)),
        }
        metadata = {"signature": result.signature}
        return Score(value=value, answer=answer, explanation=problem or None, metadata=metadata)

    return compute
