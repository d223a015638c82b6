"""Does a metric agree with people? `emo3d meta`, and the power of a study.

from emo3d_lab.meta import measure_metrics, read_judgements, read_metrics

agreement = measure_metrics(read_judgements("judgements.csv"), read_metrics(["values.csv"]))
print(agreement)
"""

from emo3d_lab.meta.power import detectable_difference, needed_judgements

__all__ = ["detectable_difference", "needed_judgements"]
