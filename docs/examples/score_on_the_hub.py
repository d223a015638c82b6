# /// script
# requires-python = ">=3.10,<3.13"
# dependencies = ["emo3d[metric,offline]", "huggingface_hub>=2.4"]
# ///
"""Score a generator on a dataset of the Hub, where the data lies, and propose the entry to the model's repository.

    hf jobs uv run --flavor cpu-upgrade --timeout 2h --secrets HF_TOKEN docs/examples/score_on_the_hub.py \\
        me/my-generator me/emo3d --config pairs

The job's disk is gone afterwards; the entry is printed, and with `--publish` opened as a pull request with the token
that `--secrets HF_TOKEN` hands over. Until emo3d is on PyPI, `--with` takes the address of a wheel.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from huggingface_hub import CommitOperationAdd, HfApi

ENTRY = Path(".eval_results/emo3d.yaml")


def main() -> None:
    """Evaluate by the command, which says all that it does; then print or propose its file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="id of a generator on the Hub")
    parser.add_argument("dataset", help="id of a dataset on the Hub, with eval.yaml")
    parser.add_argument("--config", default="pairs", help="task of its benchmark: pairs or sample")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--publish", action="store_true", help="open a pull request with the entry")
    arguments = parser.parse_args()

    protocol = "emo3d-2026-quickstart" if arguments.config == "sample" else "emo3d-2026"
    ENTRY.parent.mkdir(exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "emo3d.cli",
        "evaluate",
        "--model",
        arguments.model,
        "--dataset",
        arguments.dataset,
    ]
    command += ["--config", arguments.config, "--protocol", protocol, "--readers", "", "--device", arguments.device]
    subprocess.run([*command, "--entry", str(ENTRY)], check=True)
    if not ENTRY.is_file():
        sys.exit("no entry was made; the lines above say why")
    print(ENTRY.read_text("utf-8"))
    if arguments.publish:
        operation = CommitOperationAdd(ENTRY.as_posix(), ENTRY)
        made = HfApi().create_commit(arguments.model, [operation], commit_message="Emo3D score", create_pr=True)
        print(made.pr_url)


if __name__ == "__main__":
    main()
