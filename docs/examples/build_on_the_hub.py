# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["emo3d"]
# ///
"""Build the typed dataset on the Hub's machines; docs/jobs.md has the command. Arguments are those of `emo3d build`."""

import sys

from emo3d.cli import main

if __name__ == "__main__":
    sys.argv.insert(1, "build")
    main()
