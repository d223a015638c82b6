"""The command `emo3d` in a process of its own for each call, without the imports, which take longer than most commands.

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


def run(*arguments):
    """Like `subprocess.run(["emo3d", *arguments], capture_output=True, text=True)`."""
    arguments = ["emo3d", *map(str, arguments)]
    with tempfile.TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = FORKS.Process(target=_main, args=(arguments, os.getcwd(), out, err))
        process.start()
        if not wait([process.sentinel], HANGS):
            process.kill()
        process.join()
        return subprocess.CompletedProcess(arguments, process.exitcode, out.read_text(), err.read_text())


def _main(arguments, folder, out, err):
    for number, path in ((1, out), (2, err)):
        file = os.open(path, os.O_WRONLY | os.O_CREAT)
        os.dup2(file, number)
        os.close(file)
    os.chdir(folder)
    sys.argv = arguments
    from emo3d.cli import main

    main()
