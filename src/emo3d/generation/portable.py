"""The code of a generator as flat files beside its weights, for machines on which this package is not installed.

transformers runs them with `trust_remote_code=True`. It wants all files in one folder, importing one another by a dot.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import os
from functools import lru_cache
from pathlib import Path

import emo3d

_HEADER = "# {module} of emo3d {version}, licensed under Apache-2.0; saved with the model for trust_remote_code.\n"
_WITHOUT = "{module} is no part of the code that was saved with this model: `pip install emo3d`"
_NAMES = "\n\nif False:  # transformers 4 takes along from a local folder what the first file names, and no further\n"


def write_code(folder: str | os.PathLike[str], *classes: type) -> list[str]:
    """Write the modules that classes of this package need; return what `auto_map` of a `config.json` calls each class.

    Imports inside of functions are left to the package: without it, they raise an ImportError that says so.
    """
    code: dict[str, str] = {}
    for first in {model.__module__ for model in classes}:
        modules, waiting = set(), [first]  # that the first one needs
        while waiting:
            if (module := waiting.pop()) not in modules:
                modules.add(module)
                waiting += flat_code(module)[1]
        for module in modules:
            code.setdefault(module, flat_code(module)[0])
        names = sorted(_flat(module) for module in modules - {first})
        code[first] = flat_code(first)[0] + _NAMES + "".join(f"    from .{name} import __doc__\n" for name in names)
    Path(folder).mkdir(parents=True, exist_ok=True)
    for module, text in code.items():
        Path(folder, f"{_flat(module)}.py").write_text(text, encoding="utf-8")
    return [f"{_flat(model.__module__)}.{model.__name__}" for model in classes]


@lru_cache(maxsize=32)
def flat_code(module: str) -> tuple[str, tuple[str, ...]]:
    """The source of a module for a flat folder, and the modules of this package that it imports at its top."""
    source = inspect.getsource(importlib.import_module(module))
    lines, modules = source.splitlines(keepends=True), []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("emo3d", "emo3d_lab"):
            name, rows = str(node.module), range(node.lineno - 1, node.end_lineno or node.lineno)
            if node.col_offset == 0:
                lines[rows[0]] = lines[rows[0]].replace(name, f".{_flat(name)}", 1)
                modules.append(name)
            else:  # within `try`, since transformers refuses code with an import that it cannot do
                indent = " " * node.col_offset
                for row in rows:
                    lines[row] = f"    {lines[row]}"
                lines[rows[0]] = f"{indent}try:\n{lines[rows[0]]}"
                message = _WITHOUT.format(module=name)
                lines[rows[-1]] += f"{indent}except ImportError as error:\n"
                lines[rows[-1]] += f"{indent}    raise ImportError({message!r}) from error\n"
    return _HEADER.format(module=module, version=emo3d.__version__) + "".join(lines), tuple(modules)


def _flat(module: str) -> str:
    return module.replace(".", "_")
