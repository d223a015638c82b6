"""The Emo3D score as a metric of `evaluate`; all of its arithmetic is `emo3d.scoring`."""

import datasets
import evaluate

from emo3d.blendshapes import as_expressions
from emo3d.scoring import ScoreSettings, read_references, score

_DESCRIPTION = """\
Emo3D says whether faces show the emotions they were generated from. Each predicted expression is rendered, its picture
retrieves the k nearest descriptions of a bank through a dual encoder such as CLIP, and the emotions of those are
compared with the emotions described. LOWER IS BETTER; 0.5 stands for a mean divergence of 0.
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions: expressions, each 51 blendshape scores in 0..1 in the order of `emo3d.BLENDSHAPES`, or a mapping from
        ARKit name to score.
    references: rows with `description` (text), `intensities` (eight numbers in 0..1 in the order of `emo3d.EMOTIONS`,
        or a mapping from emotion to number) and, in all or none, `blendshapes` (51 scores). Other keys are left out.
    references_space (str): of the references' blendshapes, "weights" or "reading". That of the predictions when left
        out; where it is another, mse and mae are None.
    per_sample (bool): also return the values of every sample. False by default.
    device (str): where the backbone runs, "cpu" by default.
    batch_size (int): faces rendered and encoded at a time, 32 by default.
    **settings: the fields of `emo3d.ScoreSettings`: variant, k, epsilon, alpha, backbone, revision, dtype, bank, space
        ("weights" of a rig by default, or "reading" of MediaPipe), calibration (how readings become the weights that
        are rendered: "refine", "network", or "none", the default and the publication's way), identity, render,
        n_bootstrap, confidence, seed.

Returns:
    emo3d: 1 / (1 + exp(-kl_divergence / alpha)), 0..1, lower is better.
    kl_divergence: mean divergence in nats, lower is better.
    recall_at_k: share of faces that retrieved their own description, higher is better.
    mse, mae: errors of the expressions as they are given, None where the references hold none.
    intervals: bootstrap intervals of these five, as [lower, upper].
    per_emotion: n, kl_divergence and emo3d by strongest emotion described.
    per_sample: where asked for, kl_divergence, distribution (the eight emotions retrieved), match, mse, mae.
    n, truncated, signature: number of faces, descriptions cut by the tokenizer, everything that moves the number.

Examples:
    >>> import evaluate
    >>> metric = evaluate.load("./metric_space/emo3d_score.py")
    >>> smile = {"mouthSmileLeft": 0.9, "mouthSmileRight": 0.9, "cheekSquintLeft": 0.5, "cheekSquintRight": 0.5}
    >>> frown = {"mouthFrownLeft": 0.8, "mouthFrownRight": 0.8, "browInnerUp": 0.7}
    >>> references = [
    ...     {"description": "She is overjoyed", "intensities": {"happiness": 0.9}},
    ...     {"description": "He is deeply sad", "intensities": {"sadness": 0.9}},
    ... ]
    >>> right = metric.compute(predictions=[smile, frown], references=references, backbone="quickstart", k=1)
    >>> wrong = metric.compute(predictions=[frown, smile], references=references, backbone="quickstart", k=1)
    >>> right["emo3d"] < wrong["emo3d"]
    True
    >>> round(right["kl_divergence"], 4), right["recall_at_k"]
    (-0.01, 1.0)
"""

_CITATION = """\
@inproceedings{dehghani2025emo3d,
  title = {Emo3D: Metric and Benchmarking Dataset for 3D Facial Expression Generation from Emotion Description},
  author = {Dehghani, Mahshid and others},
  booktitle = {Findings of the Association for Computational Linguistics: NAACL 2025},
  pages = {3158--3172},
  year = {2025}
}
"""


class Emo3DScore(evaluate.Metric):
    """See `inputs_description`."""

    def _info(self):
        expression = datasets.Sequence(datasets.Value("float32"))
        reference = {
            "description": datasets.Value("string"),
            "intensities": datasets.Sequence(datasets.Value("float64")),
            "blendshapes": expression,
        }
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS_DESCRIPTION,
            features=datasets.Features({"predictions": expression, "references": reference}),
            reference_urls=["https://arxiv.org/abs/2410.02049", "https://huggingface.co/datasets/llm-lab/Emo3D"],
        )

    def add_batch(self, *, predictions=None, references=None):
        """Check a batch and bring it into one shape; evaluate itself knows no optional keys and no mappings."""
        read = read_references(references)
        rows = [
            {
                "description": description,
                "intensities": read.intensities[row],
                "blendshapes": None if read.expressions is None else read.expressions[row],
            }
            for row, description in enumerate(read.descriptions)
        ]
        super().add_batch(predictions=as_expressions(predictions), references=rows)

    def add(self, *, prediction=None, reference=None):
        """Add one prediction with its reference."""
        self.add_batch(predictions=[prediction], references=[reference])

    def _compute(
        self,
        *,
        predictions,
        references,
        references_space=None,
        per_sample=False,
        device="cpu",
        batch_size=32,
        **settings,
    ):
        described = read_references(references, references_space)
        result = score(predictions, described, settings=ScoreSettings(**settings), device=device, batch_size=batch_size)
        return result.to_dict(per_sample=per_sample)
