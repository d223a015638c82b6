"""Train a generator with transformers' Trainer and let the Emo3D score of every epoch choose the best one.

    python docs/examples/train_with_score.py [--epochs 8] [--out runs/train-with-score]

Offline, on the embedded synthetic sample, in under a minute: a head on frozen MiniLM embeddings, which 200 rows are too
few to train well. It needs the extras `train` and `offline`.
"""

import argparse
import tempfile

import torch
from datasets import Dataset, concatenate_datasets, load_dataset
from transformers import PrinterCallback, Trainer, TrainingArguments

from emo3d import Emo3DScorer, ScoreSettings
from emo3d.dataset import sample_folder
from emo3d.generation import ExpressionModel
from emo3d_lab.training.train import score_metrics


def train(epochs: int, out: str, seed: int = 0) -> tuple[ExpressionModel, list[dict[str, float]]]:
    """Train; return the model of the best epoch and the metrics of all of them."""
    torch.manual_seed(seed)
    rows = load_dataset(str(sample_folder())).select_columns(["description", "intensities", "blendshapes"])
    model = ExpressionModel.from_encoder(dropout=0.0)

    def embedded(split: str) -> Dataset:
        embeddings = model.text_encoder().encode(list(rows[split]["description"])).embeddings
        return Dataset.from_dict({"embeddings": embeddings.numpy(), "labels": list(rows[split]["blendshapes"])})

    # Descriptions are embedded once, here; only faces are new in every epoch.
    scorer = Emo3DScorer(ScoreSettings(backbone="quickstart"))
    scorer.fit(concatenate_datasets([rows["train"], rows["validation"]]))

    trainer = Trainer(
        model,
        TrainingArguments(
            out,
            num_train_epochs=epochs,
            learning_rate=1e-3,
            per_device_train_batch_size=16,
            eval_strategy="epoch",
            save_strategy="epoch",
            save_total_limit=1,
            load_best_model_at_end=True,
            metric_for_best_model="emo3d",
            greater_is_better=False,
            report_to="none",
            disable_tqdm=True,
            use_cpu=True,
            seed=seed,
        ),
        train_dataset=embedded("train"),
        eval_dataset=embedded("validation"),
        compute_metrics=score_metrics(scorer, rows["validation"]),
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    return model, [entry for entry in trainer.state.log_history if "eval_emo3d" in entry]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--out", help="folder of the checkpoints; a temporary one when left out")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        _, history = train(arguments.epochs, arguments.out or temporary)
    names = ("emo3d", "kl_divergence", "recall_at_k", "mse", "amplitude")
    print("epoch", *names, sep="\t")
    for entry in history:
        print(f"{entry['epoch']:.0f}", *(f"{entry[f'eval_{name}']:.4f}" for name in names), sep="\t")
    best = min(history, key=lambda entry: entry["eval_emo3d"])
    print(f"kept: epoch {best['epoch']:.0f}")
