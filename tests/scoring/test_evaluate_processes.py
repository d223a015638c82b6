"""evaluate's own way to spread a metric over processes, `num_process` and `process_id`, in real processes.

Each loads the metric, adds its share and calls `compute`; process 0 gets the result, the others None.
"""

import json

import numpy as np
import pytest
from PIL import Image

import commands
import emo3d
from hanging import HANGS

evaluate = pytest.importorskip("evaluate", reason="needs the extra [metric]")

ROWS = 11  # so that no share is as large as another
WORDS = "happy sad calm angry afraid smile frown wide one two".split()

PROCESS = """
import json
import sys

import emo3d
import evaluate

results = []
for given in json.loads(sys.argv[1]):
    metric = evaluate.load(emo3d.metric_path(), **given["load"])
    for batch in given["batches"]:
        metric.add_batch(predictions=batch["predictions"], references=batch["references"])
    for one in given["singles"]:
        metric.add(prediction=one["prediction"], reference=one["reference"])
    results.append(metric.compute(**given["compute"]))
open(sys.argv[2], "w").write(json.dumps(results))
"""


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """Predictions as expressions and as paths of pictures, and references, one of them twice."""
    rng = np.random.default_rng(0)
    expressions = (rng.random((ROWS, 51)) / 2).round(3).tolist()
    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / f"{row}.png" for row in range(ROWS)]
    for path in paths:
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(path)
    references = [
        {
            "description": f"{WORDS[row % 5]} face {row}",
            "intensities": rng.random(8).tolist(),
            "blendshapes": [0.2] * 51,
        }
        for row in range(ROWS - 1)
    ]
    return {"expressions": expressions, "pictures": list(map(str, paths))}, [*references, references[0]]


def start(given, folder):
    """Run one process for each list of metrics (load, batches, single rows, compute); what each returns."""
    outputs, log = [folder / f"{process}.json" for process in range(len(given))], folder / "log"
    running = [
        commands.Started(PROCESS, json.dumps(metrics), output, out=log)
        for metrics, output in zip(given, outputs, strict=True)
    ]
    try:
        codes = [process.wait(HANGS) for process in running]
    finally:
        for process in running:
            process.kill()
    assert codes == [0] * len(running), log.read_text()[-2000:]
    return [json.loads(output.read_text()) for output in outputs]


def share(predictions, references, rows):
    """The rows of one process: the first three as a batch, the others one by one."""
    batch = {"predictions": [predictions[row] for row in rows[:3]], "references": [references[row] for row in rows[:3]]}
    return [batch], [{"prediction": predictions[row], "reference": references[row]} for row in rows[3:]]


DEALT = [list(range(process, ROWS, 3)) for process in range(3)]  # as a DataLoader's sampler deals rows out


@pytest.fixture(scope="module")
def compute(clip_folder):
    return {"backbone": clip_folder, "k": 2, "batch_size": 4, "per_sample": True}


@pytest.fixture(scope="module")
def results(case, compute, tmp_path_factory):
    """Kind -> what each of three processes returns, which score one kind after the other."""
    kinds, references = case
    folder = tmp_path_factory.mktemp("processes")

    def given(process, kind):
        batches, singles = share(kinds[kind], references, DEALT[process])
        load = {"num_process": 3, "process_id": process, "experiment_id": kind, "cache_dir": str(folder / "cache")}
        return {"load": load, "compute": compute, "batches": batches, "singles": singles}

    returned = start([[given(process, kind) for kind in kinds] for process in range(3)], folder)
    return dict(zip(kinds, zip(*returned, strict=True), strict=True))


@pytest.mark.parametrize("kind", ["expressions", "pictures"])
def test_processes_give_the_numbers_of_one_call(case, compute, results, kind):
    predictions, references = case[0][kind], case[1]
    metric = evaluate.load(emo3d.metric_path(), keep_in_memory=True)
    one_call = metric.compute(predictions=predictions, references=references, **compute)
    one_call_samples = one_call.pop("per_sample")

    first, *others = results[kind]
    assert others == [None, None]
    samples = first.pop("per_sample")
    assert flat(first) == pytest.approx(flat(one_call), abs=1e-6)
    order = np.concatenate(DEALT)
    for name, values in one_call_samples.items():
        np.testing.assert_allclose(samples[name], np.array(values)[order], atol=1e-6)


def flat(result, prefix=""):
    """Names of all numbers and strings of a result, however deep, and what they are."""
    if not isinstance(result, (dict, list)):
        return {prefix: result}
    parts = result.items() if isinstance(result, dict) else enumerate(result)
    return {name: value for key, part in parts for name, value in flat(part, f"{prefix}/{key}").items()}
