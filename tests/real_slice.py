"""The real slice of Emo3D, where it lies beside the checkout, and what is typed from it."""

from pathlib import Path

import pytest

REAL = Path(__file__).parents[2] / "shared" / "real_emo3d"
real = pytest.mark.skipif(not REAL.is_dir(), reason="the real slice of Emo3D is not beside the checkout")

# Row 0's 52 scores as the release prints them, MediaPipe's order, _neutral first.
ROW_0 = """0. 0.271 0.191 0.165 0.001 0.002 0. 0. 0. 0.078 0.057 0.029
 0.039 0.187 0.013 0.028 0.242 0.283 0.245 0.578 0.209 0.011 0.009 0.
 0.012 0.038 0. 0.009 0.004 0. 0.001 0.002 0.002 0.009 0.001 0.001
 0.008 0.002 0.672 0. 0.391 0.21 0.047 0.004 0. 0. 0. 0. 0. 0. 0. 0."""
