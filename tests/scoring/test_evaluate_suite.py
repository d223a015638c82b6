"""A suite of evaluate, loaded and run as a user would; what it scores is what the generator writes."""

from pathlib import Path

import numpy as np
import pytest

from emo3d import load_generator, metric_path, score
from emo3d.scoring import ScoreSettings

evaluate = pytest.importorskip("evaluate", reason="needs the extra [metric]")
datasets = pytest.importorskip("datasets")

SUITE = Path(__file__).parents[2] / "docs" / "examples" / "suite.py"
ROWS = {
    "description": ["a happy face", "a sad man", "an angry woman"],
    "intensities": np.eye(8)[[1, 3, 4]].tolist(),
    "blendshapes": np.full((3, 51), 0.25).tolist(),
    "sample_id": [0, 1, 2],
}


@pytest.fixture(scope="module")
def suite():
    return evaluate.EvaluationSuite.load(str(SUITE))


@pytest.fixture
def task(suite, clip_folder):
    """Three rows and a small backbone, as arguments of an evaluator."""
    metric = evaluate.load(metric_path(), backbone=clip_folder, k=2, n_bootstrap=10)
    return {"data": datasets.Dataset.from_dict(ROWS), "metric": metric}


def test_a_suite_runs_a_generator(suite):
    paper, release = suite.run("quickstart")
    sample = datasets.load_dataset(suite.suite[0].data, split="test").remove_columns("image")
    generated = load_generator("quickstart").generate(sample["description"])
    for result, variant in ((paper, "paper"), (release, "release")):
        expected = score(generated, sample, settings=ScoreSettings(variant=variant, backbone="quickstart")).to_dict()
        assert {name: result[name] for name in expected} == expected
        assert result["samples_per_second"] > 0


class Generator:
    """All that is asked of a generator; it writes readings, which must be scored as such."""

    class config:  # noqa: N801
        space = "reading"

    def generate(self, descriptions):
        return [{"mouthSmileLeft": len(description) / 100} for description in descriptions]


@pytest.mark.parametrize("what", ["an object", "a function"])
def test_a_generator_of_any_kind(suite, task, what):
    generator = Generator() if what == "an object" else Generator().generate
    result = evaluate.evaluator("text-to-expression").compute(generator, **task)
    space = "reading" if what == "an object" else "weights"
    assert f"|space:{space}|" in result["signature"]
    # By hand: one blendshape is the length of the text in hundredths, all 51 of the references are 0.25.
    lengths = np.array([len(text) / 100 for text in ROWS["description"]])
    assert result["mse"] == pytest.approx((((lengths - 0.25) ** 2 + 50 * 0.25**2) / 51).mean(), abs=1e-6)


def test_what_it_refuses(suite, task):
    evaluator = evaluate.evaluator("text-to-expression")
    with pytest.raises(ValueError, match="expected the strategy 'simple', got 'bootstrap'"):
        evaluator.compute(Generator(), strategy="bootstrap", **task)
    with pytest.raises(ValueError, match="Invalid `references` intensities specified"):
        evaluator.compute(Generator(), **task | {"data": task["data"].remove_columns("intensities")})
