"""What is drawn here is drawn by several threads."""

import pytest


@pytest.fixture(autouse=True)
def drawing_threads(monkeypatch):
    """For the renderer, which reads it when it draws; PyTorch has read it by now."""
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
