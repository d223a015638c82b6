"""Human evaluation: a study, the answers to it, and how far people agree with the score and with each other."""

from emo3d_lab.judging.agreement import Agreement, measure_agreement
from emo3d_lab.judging.answers import Answer, Answers
from emo3d_lab.judging.study import Study, Task, make_study

__all__ = ["Agreement", "Answer", "Answers", "Study", "Task", "make_study", "measure_agreement"]
