"""Pictures of docs/artists.md: one take on one character, as three.js and Blender really show what we write.

Needs `make viewers`, `make blender` and Debian's chromium. Usage: python tools/artists.py
"""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageSequence

from emo3d.face.export import write_glb, write_livelink_csv
from emo3d_lab.characters import Character
from emo3d_lab.characters.sequence import sequence
from emo3d_lab.sample.prototypes import compose
from emo3d_lab.takes.reading import read_take
from emo3d_lab.takes.writing import write_take

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # the page's server and the browser's flags are those of the tests

BLENDER = ROOT / ".venv-blender" / "bin" / "python"
SIZE, FPS = 240, 30
TIMES = (0.0, 1.0, 2.0, 3.0)
SHOWN = ("happiness", "surprise", "anger")

PAGE = """<!DOCTYPE html><style>body { margin: 0 }</style>IMPORTS<script type="module">
import * as THREE from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
const renderer = new THREE.WebGLRenderer({ antialias: true, preserveDrawingBuffer: true });
renderer.setSize(SIZE, SIZE);
document.body.append(renderer.domElement);
const scene = new THREE.Scene();
scene.background = new THREE.Color(0xdadee4);
scene.add(new THREE.HemisphereLight(0xffffff, 0x8890a0, 1.5));
const sun = new THREE.DirectionalLight(0xffffff, 1.6);
sun.position.set(0.6, 0.8, 1.2);
scene.add(sun);
const gltf = await new GLTFLoader().loadAsync("moving.glb");
scene.add(gltf.scene);
const camera = new THREE.PerspectiveCamera(15, 1, 0.1, 10);
camera.position.set(0, 0.13, 1.3);
camera.lookAt(0, 0.12, 0);
const mixer = new THREE.AnimationMixer(gltf.scene);
mixer.clipAction(gltf.animations[0]).setLoop(THREE.LoopOnce).play().clampWhenFinished = true;
window.show = (time) => { mixer.setTime(time); renderer.render(scene, camera); };
window.ready = true;
</script>"""

IN_BLENDER = """
import json, math, runpy, sys
import bpy
path, script, folder, rate, size, *times = sys.argv[1:]
bpy.ops.wm.read_factory_settings(use_empty=True)
scene = bpy.context.scene
scene.render.fps = int(rate)
if path.endswith(".fbx"):
    bpy.ops.import_scene.fbx(filepath=path, anim_offset=0)
else:
    bpy.ops.import_scene.gltf(filepath=path)
    for thing in scene.objects:
        thing.select_set(thing.type == "MESH")
    runpy.run_path(script)
scene.render.engine = "CYCLES"
scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.device = 24, False, "CPU"
scene.render.resolution_x = scene.render.resolution_y = int(size)
scene.world = bpy.data.worlds.new("world")
scene.world.color = (0.45, 0.47, 0.5)
camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
camera.location, camera.rotation_euler, camera.data.angle = (0, -1.3, 0.12), (math.pi / 2, 0, 0), math.radians(15)
light = bpy.data.objects.new("light", bpy.data.lights.new("light", "AREA"))
light.location, light.rotation_euler, light.data.energy, light.data.size = (0.5, -1.2, 0.8), (1.0, 0, 0.4), 25, 1
for thing in (camera, light):
    scene.collection.objects.link(thing)
scene.camera = camera
for number, time in enumerate(times):
    scene.frame_set((0 if path.endswith(".fbx") else 1) + round(float(time) * int(rate)))
    scene.render.filepath = f"{folder}/{number}.png"
    bpy.ops.render.render(write_still=True)
"""


def by_three(folder: Path) -> list[Image.Image]:
    """Screenshots of three.js in Chromium."""
    from playwright.sync_api import sync_playwright

    from conftest import CHROMIUM_FLAGS
    from viewers import IMPORTS, serving_files

    (folder / "node_modules").symlink_to((ROOT / ".viewers" / "node_modules").resolve())
    (folder / "page.html").write_text(PAGE.replace("IMPORTS", IMPORTS).replace("SIZE", str(SIZE)))
    with serving_files(folder) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS)
        page = browser.new_page(viewport={"width": SIZE, "height": SIZE})
        page.goto(f"{address}/page.html")
        page.wait_for_function("window.ready === true")
        pictures = []
        for time in TIMES:
            page.evaluate("time => window.show(time)", time)
            pictures.append(Image.open(io.BytesIO(page.screenshot())).convert("RGB"))
        browser.close()
    return pictures


def by_pillow(path: Path) -> list[Image.Image]:
    """Frames of a GIF, which has those that are alike but once."""
    with Image.open(path) as gif:
        frames = [(frame.info["duration"] / 1000, frame.convert("RGB")) for frame in ImageSequence.Iterator(gif)]
    ends = np.cumsum([duration for duration, _ in frames])
    return [frames[min(int(np.searchsorted(ends, time, "right")), len(frames) - 1)][1] for time in TIMES]


def by_blender(path: Path, script: Path, folder: Path) -> list[Image.Image]:
    """Renders of Blender's Cycles."""
    folder.mkdir()
    command = [BLENDER, "-c", IN_BLENDER, path, script, folder, FPS, SIZE, *TIMES]
    subprocess.run(list(map(str, command)), check=True, capture_output=True)
    return [Image.open(folder / f"{number}.png").convert("RGB") for number in range(len(TIMES))]


def sheet(rows: dict[str, list[Image.Image]], path: Path) -> None:
    """Write rows of pictures, a title above each, as a JPEG."""
    font, height = ImageFont.load_default(15), SIZE + 26
    picture = Image.new("RGB", (SIZE * len(TIMES), height * len(rows)), "white")
    draw = ImageDraw.Draw(picture)
    for number, (title, pictures) in enumerate(rows.items()):
        draw.text((6, number * height + 4), title, fill="black", font=font)
        for column, part in enumerate(pictures):
            picture.paste(part, (column * SIZE, number * height + 26))
    picture.save(path, quality=85)
    print(json.dumps({"file": path.name, "bytes": path.stat().st_size}))


def main() -> None:
    """Make a take and a character, write them for both programs, and picture what comes of it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_glb(folder / "avatar.glb", np.zeros(51))
        weights = np.stack([compose({emotion: 0.9}) for emotion in SHOWN])
        write_livelink_csv(folder / "take.csv", sequence(weights, TIMES[1:], FPS), fps=FPS)
        take, character = read_take(folder / "take.csv"), Character.from_file(folder / "avatar.glb")
        for file in ("moving.glb", "moving.py", "moving.fbx", "moving.gif"):
            write_take(folder / file, take, character, size=SIZE, blender=str(BLENDER))
        preview = by_pillow(folder / "moving.gif")
        sheet({"moving.glb in three.js": by_three(folder), "moving.gif": preview}, ROOT / "docs" / "artists-three.jpg")
        script = folder / "moving.py"
        rows = {"avatar.glb and moving.py in Blender": by_blender(folder / "avatar.glb", script, folder / "script")}
        rows["moving.fbx, back in Blender"] = by_blender(folder / "moving.fbx", script, folder / "fbx")
        sheet(rows, ROOT / "docs" / "artists-blender.jpg")


if __name__ == "__main__":
    main()
