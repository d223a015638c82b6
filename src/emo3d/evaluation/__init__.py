"""What a generator is worth on a dataset: evaluations, leaderboards, and the cards that report them."""

from emo3d.evaluation.cards import write_card
from emo3d.evaluation.evaluate import Evaluation, evaluate_model
from emo3d.evaluation.leaderboard import Table, rank, to_markdown, write_leaderboard
from emo3d.evaluation.model_index import update_card
from emo3d.evaluation.predictions import write_predictions

__all__ = [
    "Evaluation",
    "Table",
    "evaluate_model",
    "rank",
    "to_markdown",
    "update_card",
    "write_card",
    "write_leaderboard",
    "write_predictions",
]
