"""Processes forked from one that has imported what is slow to import, and used none of it."""

import multiprocessing

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(
    [
        "torch",
        "transformers.modeling_utils",
        "transformers.processing_utils",
        "datasets",
        "pandas",
        "hypothesis",
        "emo3d.cli",
        "emo3d.generation.load",
        "emo3d_lab.generators",
        "emo3d_lab.inspect",
    ]
)
