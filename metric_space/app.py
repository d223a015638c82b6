"""Score expressions, and make an entry of the benchmark: the page of the metric Space."""

from emo3d_lab.apps.metric import launch

if __name__ == "__main__":
    launch()
