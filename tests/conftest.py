"""Every test runs offline, in Hub caches of its own; set before any Hub library is imported."""

import atexit
import os
import shutil
import tempfile

_HOME = tempfile.mkdtemp(prefix="emo3d-tests-")
atexit.register(shutil.rmtree, _HOME, ignore_errors=True)
os.environ.update(
    HF_HOME=_HOME,
    HF_HUB_OFFLINE="1",
    HF_HUB_DISABLE_TELEMETRY="1",
    HF_UPDATE_DOWNLOAD_COUNTS="0",
    GRADIO_ANALYTICS_ENABLED="False",
    TOKENIZERS_PARALLELISM="false",
)
