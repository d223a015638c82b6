"""A face as text: weights by name, in JSON and in the address of a page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlencode

import numpy as np

from emo3d.blendshapes import BLENDSHAPES, as_dicts
from emo3d.documents import parse_json
from emo3d.face import IDENTITIES
from emo3d.names import blendshape_names
from emo3d_demo.faces import AS_DESCRIBED, LONGEST, Face, check_description

LONGEST_WEIGHTS = 2000
"""Characters of the weights in a link; all 51 have about 1,300."""


def by_name(weights: np.ndarray) -> dict[str, float]:
    """Weights by blendshape, four decimals."""
    return {name: round(weight, 4) for name, weight in as_dicts(weights)[0].items()}


def parse_weights(text: str) -> np.ndarray:
    """Weights (51,) from JSON `{name: weight}`; what is not named is 0.

    Raises:
        ValueError: no JSON object, an unknown name, two names for one blendshape, or a weight outside 0..1.
    """
    expected = 'Expected a JSON object of blendshapes with weights in 0..1, as in {"jawOpen": 0.4}'
    try:
        weights = parse_json(text)
    except ValueError as error:
        raise ValueError(f"{expected}; {error}") from error
    if not isinstance(weights, dict):
        raise ValueError(f"{expected}.")
    return _weights(weights)


def _weights(entries: Mapping[str, object]) -> np.ndarray:
    weights = dict.fromkeys(BLENDSHAPES, 0.0)
    names = {spelling: name for name, spelling in blendshape_names(entries).items() if name in weights}
    for spelling, weight in entries.items():
        if spelling not in names:
            raise ValueError(f"Expected names of emo3d.BLENDSHAPES, got {spelling!r:.60}.")
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or not 0 <= weight <= 1:
            raise ValueError(f"Expected weights in 0..1, got {spelling} = {weight!r:.60}.")
        weights[names[spelling]] = float(weight)
    return np.array(list(weights.values()), np.float32)


class Link(NamedTuple):
    """A face in the address of a page.

    Attributes:
        description: empty where the link has none.
        identity: a name of `emo3d.face.IDENTITIES`, or `AS_DESCRIBED`.
        weights: (51,) float32, None where the link has none; the description is then generated anew.
    """

    description: str
    identity: str
    weights: np.ndarray | None


def link_query(face: Face) -> str:
    """The part of an address, after the question mark, that reopens a face."""
    weights = ",".join(f"{name}:{weight:g}" for name, weight in by_name(face.weights).items() if weight)
    description = {"description": face.description} if face.description else {}
    return urlencode({**description, "identity": face.identity, "weights": weights})


def parse_link(query: Mapping[str, str]) -> Link | None:
    """Read the face in an address.

    Args:
        query: parameters of the address, decoded; other parameters are ignored.

    Returns:
        None where there is none.

    Raises:
        ValueError: an unknown identity, too long a description, or weights as in no link of ours.
    """
    if not {"description", "weights"} & set(query):
        return None
    description, identity = query.get("description", "").strip(), query.get("identity", AS_DESCRIBED)
    if len(description) > LONGEST:
        raise ValueError(f"This link has too long a description: please use at most {LONGEST:,} characters.")
    if identity not in (AS_DESCRIBED, *IDENTITIES):
        raise ValueError(f"This link names the identity {identity!r:.60}; there are {', '.join(IDENTITIES)}.")
    if "weights" not in query:
        return Link(check_description(description), identity, None)
    text = query["weights"]
    if len(text) > LONGEST_WEIGHTS or not re.fullmatch(r"(\w+:\d(\.\d+)?(,|$))*", text, re.ASCII):
        raise ValueError("This link is damaged: expected weights in 0..1, as in weights=jawOpen:0.4,mouthPucker:0.2.")
    pairs = [part.split(":") for part in text.split(",") if part]
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("This link is damaged: it has one blendshape twice.")
    return Link(description, identity, _weights({name: float(weight) for name, weight in pairs}))
