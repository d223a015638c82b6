"""The package's front: its names, and what importing it costs."""

import subprocess
import sys

import emo3d


def test_dir_shows_the_public_names_lazy_ones_included_and_nothing_else():
    """In a process of its own, since submodules that were imported become attributes."""
    code = "import emo3d, emo3d.face; print(*dir(emo3d)); [getattr(emo3d, name) for name in dir(emo3d)]"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == sorted([*emo3d.__all__, "__version__"])
    assert done.stderr == ""  # nothing greets on the way


def test_a_face_prints_nothing():
    emo3d.render({"jawOpen": 1.0})  # compiles the renderer, which is said where it takes long
    code = """
import emo3d
scores = emo3d.load_generator().generate(["She is happy"])
emo3d.render(scores)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("", "")
