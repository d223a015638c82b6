"""Training of the generators on `transformers.Trainer`, by recipes that one can read and override."""

from emo3d.training.recipe import RECIPES, Recipe, load_recipe
from emo3d.training.train import Trained, score_metrics, train

__all__ = ["RECIPES", "Recipe", "Trained", "load_recipe", "score_metrics", "train"]
