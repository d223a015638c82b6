"""Pages: what the Spaces share, the score, and entries of the benchmark. Needs the extra `demo`."""

import os

from emo3d.hints import extra_named

# Pages and processes ask no outside host of their own accord. Read on import, so set before gradio is imported.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"

with extra_named():
    import gradio  # noqa: F401
    import pandas  # noqa: F401
