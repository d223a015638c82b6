"""A folder that `emo3d build` has finished, with a damaged report, or has begun, with damaged records."""

import contextlib
import json
from dataclasses import dataclass
from pathlib import Path

OUT = "deep/out"  # so that a name with `../` would lead to something


def _shards():
    from emo3d.dataset.tally import Problem
    from emo3d_lab.building.shards import Shard

    @dataclass(frozen=True)
    class Rows(Shard):
        def rows(self, tally):
            tally.report(Problem("example", "table.csv", 3, "text_1", "expected another row"))
            yield {
                "sample_id": self.index,
                "variant": 1,
                "prompt_type": "",
                "description": "",
                "intensities": [0.5] * 8,
            }

    return [Rows("pairs", "train", index, 2, "reading") for index in range(2)]


def seeds(folder: Path) -> list[dict[str, bytes]]:
    from emo3d_lab.building.shards import write_dataset

    def stop(files):
        raise RuntimeError

    write_dataset(folder / "finished", _shards(), source={"a": 1}, finish=lambda files: {"README.md": "card"})
    with contextlib.suppress(RuntimeError):
        write_dataset(folder / "begun", _shards(), source={"a": 1}, finish=stop)
    return [
        {
            f"{OUT}/{path.relative_to(folder / name)}": path.read_bytes()
            for path in (folder / name).rglob("*")
            if path.is_file() and path.name != "lock"
        }
        for name in ("finished", "begun")
    ]


def damage(draw, files):
    """What is damaged is JSON, whatever it is called."""
    from attack import damaged

    texts = {name: f"{name}.json" for name, content in files.items() if content[:1] == b"{"}
    changed = damaged(draw, {new: files[name] for name, new in texts.items()} | {"x.json": b"{}"})
    kept = {name: changed[new] for name, new in texts.items() if new in changed}
    return {name: content for name, content in files.items() if name not in texts} | kept


def enter(folder: Path) -> None:
    from emo3d_lab.building.shards import Run, write_dataset
    from emo3d_lab.cli.report import print_report

    (folder / "deep").mkdir(exist_ok=True)
    outside = [folder / "x", folder / "deep" / "x"]
    for path in outside:
        path.write_text("a stranger's")
    for force, source in ((False, {"a": 1}), (True, {"a": 2})):
        report = write_dataset(folder / OUT, _shards(), source=source, run=Run(force=force))
        print_report(report, folder / OUT)
        json.dumps(report)
    assert all(path.read_text() == "a stranger's" for path in outside)
