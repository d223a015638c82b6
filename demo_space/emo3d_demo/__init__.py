"""The demo Space: faces that are made, adjusted, compared and judged. Needs the extra `demo`."""

import os

# Pages and processes ask no outside host of their own accord. Read on import, so set before gradio is imported.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
