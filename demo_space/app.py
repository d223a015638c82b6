"""Type a feeling, see a face, take it with you: the demo Space of Emo3D. The page is `emo3d_demo.demo`."""

from emo3d_demo.demo import launch

if __name__ == "__main__":
    launch()
