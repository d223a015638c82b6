"""What covers a surface: base colour, texture and how it lies, and where the surface is cut out."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any

import numpy as np
from PIL import Image

from emo3d.face.surface import to_srgb
from emo3d_lab.rigs.gltf import LARGEST, Asset

_GREY = (0.76, 0.68, 0.63)  # sRGB, of a surface without any colour
_CLAMP, _MIRROR, _REPEAT = 33071, 33648, 10497  # glTF wrapping
_TOLERANCE = 0.002  # of a texture's side: uv beyond its edge by less is at the edge


@dataclass(frozen=True, eq=False)
class Cover:
    """What covers V vertices."""

    colors: np.ndarray  # (V, 3) float64, sRGB in 0..1
    coverage: np.ndarray  # (V,) float64; a sample is seen where it times the picture's alpha (0..1) is at least 0.5
    uv: np.ndarray  # (V, 2) float64 in 0..1, v down, in the picture
    picture: Image.Image  # RGBA; alpha counts unless opaque
    key: tuple[Any, ...]  # equal for equal pictures
    opaque: bool  # nothing is cut out
    double_sided: bool


def read_cover(
    asset: Asset, primitive: dict[str, Any], attributes: dict[str, np.ndarray], triangles: np.ndarray
) -> Cover:
    """Read the material of a primitive with `attributes` (V, width) and `triangles` (T, 3)."""
    count = len(attributes["POSITION"])
    material = asset.entry("materials", primitive["material"]) if "material" in primitive else {}
    extensions = material.get("extensions", {})
    base, kind = material.get("pbrMetallicRoughness", {}), "baseColor"
    if "KHR_materials_pbrSpecularGlossiness" in extensions:  # it comes before the other where both are
        base, kind = extensions["KHR_materials_pbrSpecularGlossiness"], "diffuse"
    source = base.get(f"{kind}Texture", {})
    texture = source.get("index")
    factor = np.array(base.get(f"{kind}Factor", (1, 1, 1, 1)), float)
    paint = attributes.get("COLOR_0", np.ones((count, 4)))
    if texture is None and f"{kind}Factor" not in base and "COLOR_0" not in attributes:
        colors = np.tile(_GREY, (count, 1))
    else:
        colors = to_srgb(paint[:, :3] * factor[:3])
    uv, picture, key = np.full((count, 2), 0.5), Image.new("RGBA", (1, 1), "white"), ()
    if texture is not None:
        sampler = asset.entry("textures", texture).get("sampler")
        wraps = {} if sampler is None else asset.entry("samplers", sampler)
        modes = wraps.get("wrapS", _REPEAT), wraps.get("wrapT", _REPEAT)
        uv = _texture_uv(asset, primitive, source, attributes)
        uv, picture, region = _lay(asset, uv, asset.picture(texture), triangles, modes)
        key = (texture, *region)
    glass = extensions.get("KHR_materials_transmission", {}).get("transmissionFactor", 0) >= 0.5  # before an eye
    mode = material.get("alphaMode", "OPAQUE")
    if mode == "OPAQUE":
        coverage = np.full(count, 0.0 if glass else 1.0)
    else:
        cutoff = material.get("alphaCutoff", 0.5) if mode == "MASK" else 0.5
        alpha = paint[:, 3] if paint.shape[1] == 4 else np.ones(count)
        coverage = np.zeros(count) if glass else alpha * factor[3] * 0.5 / max(cutoff, 1e-6)
    return Cover(
        colors=colors,
        coverage=coverage,
        uv=uv,
        picture=picture,
        key=key,
        opaque=mode == "OPAQUE" and not glass,
        double_sided=bool(material.get("doubleSided", False)),
    )


def join_covers(covers: list[Cover]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pictures as tiles of one square, (S, S, 3) uint8 (4 where something is cut out), the uv in it (V, 2), colors.

    These are (V, 3), or (V, 4) with the coverage where something is cut out.
    """
    tiles = {(cover.key, cover.opaque): cover.picture for cover in covers}
    across = ceil(sqrt(len(tiles)))
    side = min(LARGEST // across, max(max(picture.size) for picture in tiles.values()))
    mode = "RGB" if all(cover.opaque for cover in covers) else "RGBA"
    square = Image.new(mode, (across * side, across * side))
    corners = {}
    for number, ((key, opaque), picture) in enumerate(tiles.items()):
        corners[key, opaque] = np.array([number % across, number // across])
        column, row = (side * corners[key, opaque]).tolist()
        whole = picture.convert("RGB") if opaque else picture
        square.paste(whole.resize((side, side)).convert(mode), (column, row))
    # Up to the middle of the outermost texels, beyond which neighbours mix; alone, still in the last one.
    first, last = (0.5 / side, 1 - 0.5 / side) if across > 1 else (0, 1 - 0.05 / side)
    uv = [(corners[cover.key, cover.opaque] + cover.uv.clip(first, last)) / across for cover in covers]
    colors = np.concatenate([cover.colors for cover in covers])
    if mode == "RGBA":
        colors = np.column_stack([colors, np.concatenate([cover.coverage for cover in covers])])
    return np.asarray(square), np.concatenate(uv), colors


def _texture_uv(
    asset: Asset, primitive: dict[str, Any], source: dict[str, Any], attributes: dict[str, np.ndarray]
) -> np.ndarray:
    """Where a texture lies: uv (V, 2), transformed as KHR_texture_transform or a VRM 0.x material says."""
    transform = source.get("extensions", {}).get("KHR_texture_transform")
    name = f"TEXCOORD_{(transform or source).get('texCoord', source.get('texCoord', 0))}"
    uv = attributes.get(name, np.zeros((len(attributes["POSITION"]), 2))).astype(np.float64)
    if transform is not None:
        turn, scale = float(transform.get("rotation", 0)), np.array(transform.get("scale", (1, 1)), float)
        sine, cosine = np.sin(turn), np.cos(turn)  # counter-clockwise as the picture lies, whose v goes down
        uv = (uv * scale) @ np.array([[cosine, -sine], [sine, cosine]]) + np.array(transform.get("offset", (0, 0)))
    else:
        materials = asset.json.get("extensions", {}).get("VRM", {}).get("materialProperties", [])
        if primitive["material"] < len(materials):  # offset and tiling of Unity, whose v goes up
            tile = np.array(materials[primitive["material"]].get("vectorProperties", {}).get("_MainTex", (0, 0, 1, 1)))
            uv = np.stack([uv[:, 0] * tile[2] + tile[0], 1 - ((1 - uv[:, 1]) * tile[3] + tile[1])], axis=1)
    if uv.shape[1] != 2 or not np.isfinite(uv).all():
        raise ValueError(f"expected finite {name} of two numbers each, got others")
    return uv


def _lay(
    asset: Asset, uv: np.ndarray, picture: Image.Image, triangles: np.ndarray, modes: tuple[int, int]
) -> tuple[np.ndarray, Image.Image, tuple[int, ...]]:
    """Bring uv into 0..1: moved by whole repeats where that will do, otherwise into a picture of all the repeats.

    Returns uv (V, 2), the picture, and its left, top, right and bottom in texels of the old picture's repeats.
    """
    corners = uv[triangles]  # (T, 3, 2)
    inside = uv.copy()
    region = [0, 0, *picture.size]
    for axis, mode in enumerate(modes):
        size = picture.size[axis]
        low, high = corners[..., axis].min(axis=1), corners[..., axis].max(axis=1)
        repeat = np.floor((low + high) / 2) if mode != _CLAMP else np.zeros(len(low))
        moves = np.zeros(len(uv))
        moves[triangles] = repeat[:, None]
        fits = ((low >= repeat - _TOLERANCE) & (high <= repeat + 1 + _TOLERANCE)).all()
        if fits and (moves[triangles] == repeat[:, None]).all():
            inside[:, axis] -= moves
            if mode == _MIRROR:
                inside[:, axis] = np.where(moves % 2 == 1, 1 - inside[:, axis], inside[:, axis])
            continue
        start, end = (np.floor(low.min() * size), np.ceil(high.max() * size))
        if not end - start <= size * LARGEST:
            raise ValueError(f"expected a texture repeated up to {LARGEST} times, got {(end - start) / size:.0f}")
        asset.count_work(4 * LARGEST * max(picture.size))  # in the time of which this is done
        texels = np.linspace(start, end, int(min(end - start, 2 * LARGEST)), endpoint=False) + 0.5
        period = np.floor(texels / size)
        texels = np.clip(texels, 0, size - 1) if mode == _CLAMP else texels - period * size
        texels = np.where(period % 2 == 1, size - texels, texels) if mode == _MIRROR else texels
        picture = Image.fromarray(np.take(np.asarray(picture), texels.astype(int).clip(0, size - 1), axis=1 - axis))
        inside[:, axis] = (uv[:, axis] * size - start) / (end - start)
        region[axis], region[axis + 2] = int(start), int(end)
    picture.thumbnail((LARGEST, LARGEST)) if max(picture.size) > LARGEST else None
    return inside.clip(0, 1), picture, tuple(region)
