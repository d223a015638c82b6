"""Score on several processes: each renders and encodes its share, one merges them. The numbers are those of one.

    accelerate launch --multi_gpu --num_processes 2 docs/examples/score_on_processes.py [--out result.json]

`--multi_gpu` is right without GPUs, too: it starts the processes, and the script puts them on the CPU. (With `--cpu`,
accelerate 1.15 starts one process, whatever the number; several take `mpirun`.) Offline, with the packaged generator on
the embedded sample's test split. It needs the extras `train` and `offline`.

Where the expressions are in a file already, no script is needed, `emo3d_lab.corpus.score_launched` is behind it:

    accelerate launch --multi_gpu --num_processes 2 -m emo3d.cli score PREDICTIONS --references REFERENCES

On two machines with eight GPUs each, either form is started on both, with `--machine_rank 1` on the second:

    accelerate launch --multi_gpu --num_machines 2 --num_processes 16 --machine_rank 0 \\
        --main_process_ip 10.0.0.1 --main_process_port 29500 -m emo3d.cli score PREDICTIONS --references REFERENCES
"""

import argparse

import torch
from accelerate import PartialState
from accelerate.utils import gather_object
from datasets import load_dataset

from emo3d import Emo3DScorer, ScoreSettings, load_generator
from emo3d.dataset import sample_folder


def main() -> None:
    """Run on every process; the main one prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", help="write the result as .json")
    arguments = parser.parse_args()
    state = PartialState(cpu=not torch.cuda.is_available())
    references = load_dataset(str(sample_folder()), split="test").select_columns(["description", "intensities"])

    scorer = Emo3DScorer(ScoreSettings(backbone="quickstart"), device=str(state.device))
    with state.split_between_processes(list(range(len(references)))) as rows:
        share = references.select(rows)
        scorer.update(load_generator().generate(list(share["description"])), share)
    print(f"process {state.process_index}: {len(scorer)} faces", flush=True)

    scorers = gather_object([scorer])  # every process receives all; a scorer travels without its backbone
    if state.is_main_process:
        result = scorer.merge(*scorers[1:]).compute()
        print(f"{result.n} faces: Emo3D {result.emo3d:.4f}, mean KL {result.kl_divergence:.4f}")
        print(result.signature)
        if arguments.out:
            result.save(arguments.out)
    state.destroy_process_group()


if __name__ == "__main__":
    main()
