"""Write the licences of all that Emo3D needs, as their packages state them, into third-party.md.

    python tools/licences.py [--check]

Run it in an environment with the extra `dev`. With `--check` nothing is written, and what is missing is an error.
"""

import configparser
import re
import sys
from collections import deque
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PAGE = Path(__file__).parents[1] / "docs" / "third-party.md"
START, END = "<!-- licences: written by licences.py -->\n", "<!-- end of licences -->\n"
NAMES = {  # classifiers and free text -> SPDX, where a package has no expression of its own
    "MIT License": "MIT",
    "MIT license": "MIT",
    "The MIT License (MIT)": "MIT",
    "Expat license": "MIT",
    "BSD": "BSD",
    "BSD License": "BSD",
    "New BSD": "BSD-3-Clause",
    "New BSD License": "BSD-3-Clause",
    "BSD 3-Clause": "BSD-3-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache 2": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "ISC License (ISCL)": "ISC",
}
ONLY_AS_A_FILE = {"anny": "Apache-2.0", "inspect-ai": "MIT"}  # in its LICENSE
APART = ("inspect",)  # extras of an environment of their own: what they bring is not installed here


def licence_extras() -> dict[str, str]:
    """Package -> the extra that brings it first (empty: always); only what this platform needs and has."""
    settings = configparser.ConfigParser()
    settings.read(PAGE.parents[1] / "setup.cfg")  # an editable install may have been made of an older one
    always = settings["options"]["install_requires"]
    extras: dict[str, str] = {}
    for extra, lines in [("", always), *settings["options.extras_require"].items()]:
        queue = deque(Requirement(line) for line in lines.split("\n") if line and not line.startswith("emo3d["))
        seen: set[tuple[str, ...]] = set()
        while queue:
            requirement = queue.popleft()
            name, wishes = canonicalize_name(requirement.name), {"", *requirement.extras}
            if (name, *sorted(wishes)) in seen:
                continue
            seen.add((name, *sorted(wishes)))
            extras.setdefault(name, extra)
            if extra in APART:
                continue
            for further in map(Requirement, metadata.requires(name) or ()):
                marker = further.marker
                if marker is None or any(marker.evaluate({"extra": wish}) for wish in wishes):
                    queue.append(further)
    return extras


def licence(package: str) -> str:
    """What a package states: its expression, else its classifiers, else a short text; empty where it states nothing."""
    if stated := ONLY_AS_A_FILE.get(package):
        return stated
    about: Any = metadata.metadata(package)
    if expression := about.get("License-Expression"):
        return expression
    classifiers = [line.rpartition(" :: ")[2] for line in about.get_all("Classifier", ()) if "License ::" in line]
    licences = [name for name in classifiers if name not in ("OSI Approved", "License")]
    text = about.get("License", "").strip()
    if not licences and text:
        licences = [text.splitlines()[0][:60]]
    return ", ".join(dict.fromkeys(NAMES.get(name, name) for name in licences))


def table() -> str:
    """The rows, by package."""
    rows = ["| package | licence | extra |", "| --- | --- | --- |"]
    for name, extra in sorted(licence_extras().items()):
        rows.append(f"| {name} | {licence(name) or 'not stated'} | {extra} |")
    return "\n".join(rows) + "\n"


def main() -> None:
    """Write the page, or check it."""
    before, rest = PAGE.read_text("utf-8").split(START)
    rows, after = rest.split(END)
    if "--check" in sys.argv:
        names = set(re.findall(r"^\| (\S+) \|", rows, flags=re.MULTILINE))
        if missing := sorted(set(licence_extras()) - names):
            sys.exit(f"{PAGE.name} lacks {', '.join(missing)}: run python tools/licences.py")
        return
    PAGE.write_text(f"{before}{START}{table()}{END}{after}", "utf-8")


if __name__ == "__main__":
    main()
