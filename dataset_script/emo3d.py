"""Emo3D's loading script, for `datasets` before version 4; newer ones read the Parquet files of the branch `main`.

    load_dataset("NAMESPACE/emo3d", "pairs", revision="script", trust_remote_code=True)

It reads the published release `llm-lab/Emo3D` from the Hub, streamed on request, or with `data_dir=FOLDER` a copy of
it. Configs: `default` (pictures and expressions), `pairs` (descriptions and expressions), `primitive`, and the
synthetic `sample` and `clips` (expressions over time). All the work is done by the package of the same name:
`pip install emo3d`.
"""

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path

if __name__ == "emo3d":  # this script's folder comes first on the path, so it was taken for the package
    _here = Path(__file__).resolve().parent
    _spec = PathFinder.find_spec("emo3d", [path for path in sys.path if Path(path).resolve() != _here])
    if _spec is None or _spec.loader is None:
        raise ImportError(f"{__file__} is Emo3D's loading script and needs the package: pip install emo3d")
    sys.modules["emo3d"] = module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["emo3d"])

from emo3d.dataset.builder import Emo3D


class Emo3DScript(Emo3D):
    """The package's builder: `datasets` wants a class that is defined in the script itself."""
