"""Training of generators by recipe, their evaluation on datasets, and the model cards with the results."""

from emo3d_lab.training.cards import update_card, write_card
from emo3d_lab.training.evaluate import Evaluation, evaluate_model
from emo3d_lab.training.leaderboard import Table, rank, to_markdown, write_leaderboard
from emo3d_lab.training.predictions import write_predictions
from emo3d_lab.training.recipe import RECIPES, Recipe, load_recipe

__all__ = [
    "RECIPES",
    "Evaluation",
    "Recipe",
    "Table",
    "evaluate_model",
    "load_recipe",
    "rank",
    "to_markdown",
    "update_card",
    "write_card",
    "write_leaderboard",
    "write_predictions",
]
