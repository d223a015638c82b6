"""Human evaluation: a study, the answers to it, and what becomes of them."""

from emo3d_lab.judging.answers import Answer, Answers
from emo3d_lab.judging.study import Item, Study, Task

__all__ = ["Answer", "Answers", "Item", "Study", "Task"]
