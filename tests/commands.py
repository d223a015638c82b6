"""Commands and scripts in a process of their own each, without the imports, which take longer than most of them.

Where the start itself is tested, what is installed, or a variable that libraries read when they are imported, a new
interpreter runs instead.
"""

import os
import subprocess
import sys
import tempfile
from multiprocessing.connection import wait
from pathlib import Path

from forks import FORKS
from hanging import HANGS

EMO3D = "from emo3d.cli import main; main()"


def run(*arguments):
    """Like `subprocess.run(["emo3d", *arguments], capture_output=True, text=True)`."""
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = Started(EMO3D, *arguments, out=out, err=err)
        if process.wait(HANGS) is None:
            process.kill()
        return subprocess.CompletedProcess(arguments, process.wait(), out.read_text(), err.read_text())


class Started:
    """Like `subprocess.Popen([sys.executable, "-c", code, *arguments])`, with the paths of two files, or of one."""

    def __init__(self, code, *arguments, out, err=None):
        arguments = ["emo3d" if code == EMO3D else "-c", *map(str, arguments)]
        Path(out).touch()
        where = os.getcwd(), dict(os.environ), str(out), str(err or out)
        self._process = FORKS.Process(target=_main, args=(code, arguments, *where))
        self._process.start()

    def poll(self):
        return self._process.exitcode

    def wait(self, timeout=None):
        """Its exit code, None when it runs on."""
        if wait([self._process.sentinel], timeout):
            self._process.join()
        return self._process.exitcode

    def kill(self):
        self._process.kill()


def _main(code, arguments, folder, environment, *outputs):
    for number, path in enumerate(outputs, 1):
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = arguments
    exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
