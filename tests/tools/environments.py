"""Virtual environments in which a wheel of this package is tried."""

import sys
import sysconfig
import venv
from pathlib import Path


def environment(folder, *, borrow=False):
    """Make an empty virtual environment, or one that borrows all packages of this one but editable ones; its Python."""
    venv.create(folder, clear=True, with_pip=True)
    if borrow:
        site = Path(sysconfig.get_path("purelib", "venv", {"base": str(folder)}))
        (site / "borrowed.pth").write_text("\n".join(path for path in sys.path if path.endswith("-packages")))
    return Path(sysconfig.get_path("scripts", "venv", {"base": str(folder)}), "python")
