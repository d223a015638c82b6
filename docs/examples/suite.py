"""A suite of `evaluate` for generators: `EvaluationSuite.load("docs/examples/suite.py").run("quickstart")`.

`run` takes a name for `load_generator`, an object with `generate`, or a function of N descriptions.
"""

import evaluate
from evaluate.evaluation_suite import SubTask

import emo3d
from emo3d.dataset import sample_folder
from emo3d_lab.training.suite import TASK, register_task


class Suite(evaluate.EvaluationSuite):
    """Both variants of the score, on the embedded sample."""

    def __init__(self, name):
        super().__init__(name)
        register_task()
        self.suite = [
            SubTask(
                task_type=TASK,
                data=str(sample_folder()),
                split="test",
                args_for_task={
                    "metric": evaluate.load(emo3d.metric_path(), backbone="quickstart", variant=variant),
                },
            )
            for variant in ("paper", "release")
        ]
