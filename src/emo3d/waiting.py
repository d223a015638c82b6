"""Long first steps are said: what is done, once it has taken longer than a user waits without a word."""

from __future__ import annotations

import logging
import threading

logger = logging.getLogger(__name__)

PATIENCE = 2.0  # seconds


class LongStep:
    """A step that is said on the log if it is not over within `PATIENCE`.

    Args:
        text: what is done, as in "compiling the renderer, once on this machine".
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._timer: threading.Timer | None = None

    def begin(self) -> None:
        """Start the clock."""
        self._timer = threading.Timer(PATIENCE, logger.warning, ("%s ...", self.text))
        self._timer.daemon = True
        self._timer.start()

    def end(self) -> None:
        """Stop it."""
        if self._timer:
            self._timer.cancel()
