"""When tests stop waiting: a deadline is there for what hangs, and far beyond what is slow on a busy machine."""

import time

HANGS = 900  # seconds


def wait_until(reached, process, log=None):
    """Wait until `reached()` is true, which a process works towards; its value. No longer than the process lives."""
    end = time.monotonic() + HANGS
    while not (value := reached()):
        said = log.read_text() if log else "(on this test's own output)"
        assert time.monotonic() < end, f"the process hangs: {said}"
        assert process.poll() is None, f"the process ended too early, with {process.returncode}: {said}"
        time.sleep(0.01)
    return value


def wait_on_page(page, reached, what):
    """Wait until `reached()` is true, while a page goes on."""
    end = time.monotonic() + HANGS
    while not reached():
        assert time.monotonic() < end, f"{what}: not within {HANGS} seconds"
        page.wait_for_timeout(200)
