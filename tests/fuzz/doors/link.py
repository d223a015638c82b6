"""What a visitor of the demo types or follows: weights as JSON, a link that reopens a face, many descriptions."""

import json
import re
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
from hypothesis import strategies as st

_KNOWN = ["description", "identity", "weights", "jawOpen", "jaw_open", "mouthSmile_L", "as described", "1", "0", "0.5"]


def seeds(folder: Path) -> list[dict[str, bytes]]:
    from emo3d_demo.faces import Face
    from emo3d_demo.links import link_query

    weights = np.round(np.arange(51, dtype=np.float32) / 60, 2)
    links = [link_query(Face(weights * at, "girl", "so sad")) for at in (0, 1)]
    links += ["description=She+won", "weights=jawOpen:0.4,mouthPucker:0.2&identity=woman"]
    given = json.dumps({"jawOpen": 0.4, "Mouth_Smile_L": 1, "cheekPuff": 0}).encode()
    return [{"weights.json": given, "link": link.encode(), "lines": b"so sad\n\nShe won\n"} for link in links]


def damage(draw: st.DrawFn, files: dict[str, bytes]) -> dict[str, bytes]:
    """In a link, also its parts."""
    from attack import ODD_CELLS, damaged

    if draw(st.booleans()):
        return damaged(draw, files)
    parts = re.split("([&=,:])", files["link"].decode())
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.integers(0, len(parts) - 1))
        parts[place] = draw(st.sampled_from([*"&=,:", *_KNOWN, *ODD_CELLS]))
    return files | {"link": "".join(parts).encode()}


def enter(folder: Path) -> None:
    from emo3d_demo.faces import Face
    from emo3d_demo.links import link_query, parse_link, parse_weights
    from emo3d_demo.many import check_lines

    def whole(weights):
        assert weights.shape == (51,)
        assert ((weights >= 0) & (weights <= 1)).all()

    text = {path.name: path.read_text("utf-8", "replace") for path in folder.iterdir()}
    link = parse_link(dict(parse_qsl(text.get("link", ""), keep_blank_values=True)))
    if link is not None and link.weights is not None:
        whole(link.weights)
        face = Face(link.weights, link.identity, link.description)
        again = parse_link(dict(parse_qsl(link_query(face), keep_blank_values=True)))
        assert np.allclose(again.weights, face.weights, atol=5e-5)  # four decimals
    check_lines(text.get("lines", "x"))
    whole(parse_weights(text.get("weights.json", "{}")))
