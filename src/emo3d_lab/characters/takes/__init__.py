"""Takes to characters: weights over time from captures, onto any character and into files of other programs."""

from emo3d_lab.characters.takes.reading import Take, read_take
from emo3d_lab.characters.takes.writing import ENDINGS, write_take

__all__ = ["ENDINGS", "Take", "read_take", "write_take"]
