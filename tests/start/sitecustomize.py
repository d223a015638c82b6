"""Every Python that a test starts: it looks for garbage more rarely, and not once more at its end, as `emo3d` does.

Else a third of the time of a process that imports transformers goes into it. `conftest.py` puts this on PYTHONPATH.
"""

import atexit
import gc

gc.set_threshold(100_000, 10, 10)
atexit.register(gc.freeze)
