"""Files of expressions of every suffix, as `render` and `score` read them."""

import io
import json
from pathlib import Path

import numpy as np

from emo3d.blendshapes import ARKIT_BLENDSHAPES, BLENDSHAPES


def seeds(folder: Path) -> list[dict[str, bytes]]:
    import pyarrow as pa
    from pyarrow import parquet

    row = [round(place / 60, 2) for place in range(51)]
    named = dict(zip(BLENDSHAPES, row, strict=True))
    categories = [{"index": 1, "score": 0.5, "category_name": "jawOpen"}]
    documents = [
        {"space": "reading", "expressions": [named]},
        [{**named, "headYaw": 0.1}, {"JawOpen": 0.5}],
        [row],
        [categories, categories],
        {"faceLandmarks": [], "faceBlendshapes": [{"categories": categories, "headName": ""}]},
        {"facsNames": ["jawOpen", "jawLeft"], "weightMat": [[0.5, 0.1]], "exportFps": 60.0},
        {"names": ["jawOpen"], "frames": [{"weights": [0.5], "time": 0.0}, {"weights": [0.1], "time": 0.5}]},
    ]
    files = [{"faces.json": json.dumps(document).encode()} for document in documents]
    lines = [json.dumps({"blendshapes": row, "id": 1}), json.dumps(named)]
    files += [{"faces.jsonl": lines[0].encode()}, {"faces.jsonl": lines[1].encode()}]
    header = ["Timecode", "BlendshapeCount", *ARKIT_BLENDSHAPES, "HeadYaw"]
    take = [",".join(header), *(f"00:00:00:0{n}.000,61," + ",".join(["0.5"] * 51) + ",0,0.1" for n in range(2))]
    files.append({"faces.csv": "\n".join(take).encode()})
    files.append({"faces.csv": f'id,blendshapes\n1,"{np.array(row)}"'.encode()})
    for array in (np.array([row]), np.zeros((2, 51), np.float32)):
        file = io.BytesIO()
        np.save(file, array)
        files.append({"faces.npy": file.getvalue()})
    for table in (pa.table({"blendshapes": [row] * 2, "text": ["x", "y"]}), pa.Table.from_pylist([named] * 2)):
        file = io.BytesIO()
        parquet.write_table(table, file)
        files.append({"faces.parquet": file.getvalue()})
    files.append({"faces.txt": b"jawOpen-25|eyeBlink_L-3|hapihapi-0|=head#-1.5,2,3|\nmouthSmile_R&100|\n"})
    return files


def enter(folder: Path) -> None:
    from emo3d.expressions import read_capture

    for path in folder.iterdir():
        read_capture(path)
