"""The Emo3D score as a metric of `evaluate`; all of its arithmetic is `emo3d.scoring`."""

import inspect
import io
import os
from collections.abc import Mapping

import datasets
import evaluate
from PIL import Image

from emo3d import clips
from emo3d.pictures import MORE_FORMATS, open_picture
from emo3d.scoring import Bank, ScoreSettings, read_references, score
from emo3d.scoring.columns import column_names
from emo3d.scoring.joining import check_lengths
from emo3d.scoring.predictions import Pictures, is_pictures, read_batch

_DESCRIPTION = """\
Emo3D says whether faces show the emotions they were generated from. Each predicted expression is rendered, its picture
retrieves the k nearest descriptions of a bank through a dual encoder such as CLIP, and the emotions of those are
compared with the emotions described. LOWER IS BETTER; 0.5 stands for a mean divergence of 0.
"""

_KWARGS_DESCRIPTION = """
Args:
    predictions: expressions or pictures. An expression is 51 blendshape scores in 0..1 in the order of
        `emo3d.BLENDSHAPES`, 52 with a `layout`, or a mapping from ARKit name to score. Pictures are RGB in 8 bits, of
        one size: paths, PIL images or arrays (H, W, 3). A column of a dataset with either will do; so will rows or a
        table with `blendshapes`, whose `sample_id` and `description` are checked against those of the references.
    references: rows with `description` (text), `intensities` (eight numbers in 0..1 in the order of `emo3d.EMOTIONS`,
        or a mapping from emotion to number) and, in all or none, `blendshapes` (51 scores); a list of mappings, a
        `datasets.Dataset` or a mapping of columns. Whatever else they hold is left out.
        With `beats` in place of `intensities` they are of clips: a list of beats in order, each with `description` and
        `intensities`, perhaps `start` and `end` in seconds. Then predictions are clips: mappings with `frames` (T, 51)
        or (T, 61) and `rate`, or frames alone and `rate` as an option. See docs/clips-score.md for what is returned,
        and for settings of their own. `add_batch` takes no clips.
    layout (str): of vectors of 52, "mediapipe" or "arkit"; `add_batch` takes it too.
    join (str): column by which predictions and references of a call are joined, instead of by their order:
        "description", "sample_id" or "sample_id,description"; `add_batch` takes it too.
    references_space (str): of the references' blendshapes, "weights" or "reading". That of the predictions when left
        out; where it is another, mse, mae and amplitude are None. It is that of the predictions too, unless `space` is
        given.
    bank_folder (str): of a bank written by `emo3d.scoring.Bank.save`, for faces to look up instead of the references.
    per_sample (bool): also return the values of every sample. False by default.
    device (str): where the backbone runs, "cpu" by default.
    batch_size (int): faces rendered and encoded at a time, 32 by default.
    **settings: the fields of `emo3d.ScoreSettings`: variant, k, epsilon, alpha, backbone, revision, dtype, bank, space
        ("weights" of a rig by default, or "reading" of MediaPipe), calibration (how readings become the weights that
        are rendered: "network", the default, "refine", or "none", the publication's way), identity, identities (K: the
        mean over the first K faces of a fixed panel, at K times the cost), render, n_bootstrap, confidence, seed.

All but the first two may be given to `evaluate.load` instead, for where nothing can be given to `compute`
(`evaluate.combine`, suites); `revision` may not, which there is the metric's own.

Returns:
    emo3d: 1 / (1 + exp(-kl_divergence / alpha)), 0..1, lower is better.
    kl_divergence: mean divergence in nats, lower is better.
    recall_at_k: share of faces that retrieved their own description, higher is better.
    mse, mae: errors of the expressions as they are given, None where the references hold none.
    amplitude: how strong they are in the direction of the references' own, 1 is best: the median over references of a
        norm of at least 1, None where there are none.
    intervals: of these six, as [lower, upper]: Wilson's of recall_at_k, bootstrap percentiles of amplitude, bootstrap-t
        of the others; all but Wilson's have none below 10 faces.
    per_emotion: n, kl_divergence, emo3d and intervals of the latter two, if any, by strongest emotion described.
    per_band: the same by how strong that emotion is, in fifths: "0.0-0.2" to "0.8-1.0".
    per_sample: where asked for, kl_divergence, distribution (the eight emotions retrieved), reference (place of its
        reference among all, sorted), match, mse, mae, amplitude (None of weak references), in the order in which rows
        were added, those of process 0 first.
    n, truncated: number of faces, and of descriptions cut by the tokenizer.
    references: content hash of the references; only results with the same one are of the same test set.
    reference_expressions: content hash of the blendshapes that mse, mae and amplitude compare with; only results with
        the same one can be compared by these. None where nothing was compared.
    signature: everything that moves the number; only results with the same one can be compared.

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

_OPTIONS = {
    "layout": None,
    "join": None,
    "references_space": None,
    "bank_folder": None,
    "per_sample": False,
    "device": "cpu",
    "batch_size": 32,
}


class Emo3dScore(evaluate.Metric):  # its name here becomes `emo3d_score` in evaluate
    """See `inputs_description`."""

    def __init__(self, *args, **kwargs):
        of_evaluate = inspect.signature(evaluate.Metric.__init__).parameters
        self.options = {name: kwargs.pop(name) for name in list(kwargs) if name not in of_evaluate}
        if kwargs.get("seed") is not None:
            self.options["seed"] = kwargs["seed"]
        _split(self.options)  # an unknown name is an error here, not where it would first be missed
        super().__init__(*args, **kwargs)

    def _info(self):
        numbers = datasets.Sequence(datasets.Value("float32"))
        prediction = {"blendshapes": numbers, "picture": datasets.Image(decode=False)}  # one of the two
        reference = {
            "description": datasets.Value("string"),
            "intensities": datasets.Sequence(datasets.Value("float64")),
            "blendshapes": numbers,
        }
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_KWARGS_DESCRIPTION,
            features=datasets.Features({"predictions": prediction, "references": reference}),
            reference_urls=["https://arxiv.org/abs/2410.02049", "https://huggingface.co/datasets/llm-lab/Emo3D"],
        )

    def add_batch(self, *, predictions=None, references=None, layout=None, join=None):
        """Check a batch and keep it for `compute`; where something is wrong with it, nothing of it is kept."""
        if predictions is None or references is None:
            raise ValueError("expected predictions and references, got only one of them")
        references = read_references(references)
        if references.space is not None:
            raise ValueError("expected references as rows and their space as references_space, got both in one")
        if _are_pictures(predictions):
            faces = [{"blendshapes": None, "picture": picture} for picture in _files(predictions)]
            check_lengths(len(faces), len(references))
        else:
            options = {"join": join or self.options.get("join"), "layout": layout or self.options.get("layout")}
            expressions, references = read_batch(predictions, references, **options)
            faces = [{"blendshapes": expression, "picture": None} for expression in expressions]
        rows = [
            {
                "description": description,
                "intensities": references.intensities[row],
                "blendshapes": None if references.expressions is None else references.expressions[row],
            }
            for row, description in enumerate(references.descriptions)
        ]
        super().add_batch(predictions=faces, references=rows)

    def add(self, *, prediction=None, reference=None, predictions=None, references=None):
        """Add one prediction with its reference; `evaluate.combine` gives both in the plural."""
        pair = (predictions, references) if prediction is None else (prediction, reference)
        self.add_batch(predictions=[pair[0]], references=[pair[1]])

    def compute(self, *, predictions=None, references=None, **options):
        """Score what is given here, or was added before."""
        options = {**self.options, **options}
        if predictions is not None and _have_beats(references):
            return clips.compute_clips(predictions, references, **options)
        _split(options)  # before the rows are read, for then they are gone
        if predictions is not None or references is not None:
            self.add_batch(
                predictions=predictions, references=references, layout=options.get("layout"), join=options.get("join")
            )
        return super().compute(**options)

    def _compute(self, *, predictions, references, **options):
        options, settings = _split(options)
        expressions = [row["blendshapes"] for row in predictions if row["blendshapes"] is not None]
        pictures = _Files(row["picture"] for row in predictions if row["picture"] is not None)
        if expressions and pictures:
            raise ValueError("expected expressions or pictures in all batches, got both")
        result = score(
            expressions or pictures,
            read_references(references, options["references_space"]),
            bank=None if options["bank_folder"] is None else Bank.load(options["bank_folder"]),
            settings=settings,
            device=options["device"],
            batch_size=options["batch_size"],
        )
        return result.to_dict(per_sample=options["per_sample"])


def _split(options):
    """Options of this module, and the settings of the score that the others are."""
    if options.get("references_space") and "space" not in options:
        options = {**options, "space": options["references_space"]}
    own = {name: options.get(name, default) for name, default in _OPTIONS.items()}
    return own, ScoreSettings(**{name: value for name, value in options.items() if name not in _OPTIONS})


def _have_beats(references):
    """Whether these are references of clips: rows or a table with `beats`."""
    first = references[0] if isinstance(references, (list, tuple)) and references else ()
    names = column_names(references) or first
    return hasattr(names, "beats") or "beats" in names


def _are_pictures(predictions):
    if column_names(predictions) is not None or isinstance(predictions, Mapping):
        return False
    return (len(predictions) > 0 and _is_file(predictions[0])) or is_pictures(predictions)


def _is_file(value):
    """Whether this is a picture as `datasets.Image(decode=False)` gives it."""
    return isinstance(value, Mapping) and set(value) == {"bytes", "path"}


def _files(predictions):
    """Pictures as `datasets.Image` keeps them: paths as they are, others as PNG, which loses nothing."""
    pictures, files = Pictures(predictions), []
    for row in range(len(predictions)):
        picture = predictions[row]
        if isinstance(picture, (str, os.PathLike)):
            picture = {"bytes": None, "path": os.path.abspath(picture)}
        elif not _is_file(picture):
            file = io.BytesIO()
            Image.fromarray(pictures[row : row + 1][0]).save(file, "PNG", compress_level=1)
            picture = {"bytes": file.getvalue(), "path": None}
        files.append(picture)
    return files


class _Files(list):
    """What `_files` gives; a row is opened when it is asked for, and then a path or a PIL image."""

    def __getitem__(self, row):
        file = super().__getitem__(row)
        try:
            return file["path"] if file["bytes"] is None else open_picture(file["bytes"], formats=MORE_FORMATS)
        except ValueError as error:
            raise ValueError(f"cannot read the picture in row {row}: {error}") from error
