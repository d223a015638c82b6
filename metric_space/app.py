"""Score a file of expressions: the page of the metric Space."""

from emo3d_lab.apps.score import launch

if __name__ == "__main__":
    launch()
