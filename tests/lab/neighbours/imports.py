"""What the tests of imports look at, and takes of Live Link Face typed by hand."""

import csv

import pyarrow.parquet as pq

from livelink import LIVELINK_HEADER


def rows_of(out, split="train"):
    return pq.read_table(sorted(out.glob(f"data/pairs/{split}-*.parquet"))).to_pylist()


def problems(report):
    return [(p["kind"], p["file"], p["row"], p["column"], p["count"]) for p in report["problems"]]


def accounted(report, split="train"):
    """Rows in = rows out + rows reported."""
    counts = report["splits"]["pairs"][split]
    return counts["rows_in"] == counts["rows"] + sum(p["count"] for p in report["problems"] if p["split"] == split)


# Public takes spell one column in another way than quoted elsewhere.
COLUMNS = LIVELINK_HEADER.replace("BlendshapeCount", "BlendShapeCount").split(",")


def write_take(path, frames, columns=COLUMNS):
    """Frames are dicts from column to value; what they leave out is 0, except the head, which is turned."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(columns)
        for number, frame in enumerate(frames):
            row = {"timecode": f"12:27:47:{number:02}.169", "blendshapecount": 61, "headyaw": -0.25, "headpitch": 1.5}
            row |= {name.lower(): value for name, value in frame.items()}
            lines.writerow([row.get(name.lower(), 0) for name in columns])
