"""Heads from files as three.js shows them, in a real browser: the same places of vertices, the same silhouette and colours.

Light is left out on both sides: a MeshBasicMaterial there, two lights of one half that face each other here.
"""

import base64
import importlib
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.spatial import cKDTree

from emo3d.blendshapes import BLENDSHAPES
from emo3d.face import FaceRig, RenderSettings, render
from viewers import IMPORTS

FIXTURES = Path(__file__).parent / "fixtures"
SIZE = 224
BACKGROUND = np.array([218, 222, 228])
WEIGHTS = {"jawOpen": 0.8, "eyeBlinkLeft": 1.0, "mouthSmileRight": 0.7, "browInnerUp": 1.0, "eyeLookUpRight": 0.6}
# (1 + z) / 2 + (1 - z) / 2 is 1 everywhere; the kernel wants a light that is directed, too.
FLAT = (*(((0, 0, z), (1, 1, 1), (1, 1, 1), 0, 0) for z in (1, -1)), ((0, 0, 1), (0, 0, 0), (0, 0, 0), 0, 0))

PAGE = """<!doctype html><meta charset="utf-8"><title>three.js</title>
%s
<script type="module">
import * as THREE from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { DRACOLoader } from "three/addons/loaders/DRACOLoader.js";
import { MeshoptDecoder } from "three/addons/libs/meshopt_decoder.module.js";

const renderer = new THREE.WebGLRenderer({ alpha: true, antialias: false });
renderer.setSize(%d, %d);
renderer.setClearColor(0, 0);
const draco = new DRACOLoader().setDecoderPath("./node_modules/three/examples/jsm/libs/draco/");
const loader = new GLTFLoader().setDRACOLoader(draco).setMeshoptDecoder(MeshoptDecoder);

// Picture without light, a picture of which mesh is where (1, 2 ... in red), and all vertices, at the weights.
window.show = async (url, frame, weights, turn) => {
  const { scene } = await loader.loadAsync(url);
  scene.rotation.y = turn;
  const [x, y, z, half] = frame, camera = new THREE.PerspectiveCamera(20, 1, 0.001, 1000 * half);
  camera.position.set(x, y, z + half / Math.tan(Math.PI / 18));
  const meshes = [], regions = [];
  scene.updateMatrixWorld(true);
  scene.traverse(mesh => {
    if (!mesh.isMesh) return;
    const old = mesh.material;
    mesh.frustumCulled = false;
    mesh.material = new THREE.MeshBasicMaterial({
      map: old.map, color: old.color, vertexColors: old.vertexColors, side: old.side, transparent: old.transparent,
      alphaTest: old.alphaTest, depthWrite: old.depthWrite, opacity: old.opacity,
    });
    for (const [name, weight] of Object.entries(weights))
      if (mesh.morphTargetDictionary?.[name] !== undefined)
        mesh.morphTargetInfluences[mesh.morphTargetDictionary[name]] = weight;
    meshes.push(mesh);
  });
  renderer.render(scene, camera);
  const picture = renderer.domElement.toDataURL();
  const points = [], place = new THREE.Vector3();
  meshes.forEach((mesh, number) => {
    for (let i = 0; i < mesh.geometry.attributes.position.count; i++)
      points.push(...mesh.localToWorld(mesh.getVertexPosition(i, place)).toArray());
    const { map, alphaTest, side } = mesh.material;
    mesh.material.color.setRGB((number + 1) / 255, 0, 0, THREE.SRGBColorSpace);
    mesh.material.map = mesh.material.alphaTest || mesh.material.transparent ? map : null;
    mesh.material.vertexColors = false;
    mesh.material.needsUpdate = true;
  });
  renderer.render(scene, camera);
  return { picture, regions: renderer.domElement.toDataURL(), points, names: meshes.map(mesh => mesh.name) };
};
const shown = window.show;
window.show = (...all) => shown(...all).catch(error => { throw Error(error.message ?? JSON.stringify(error)); });
window.ready = true;
</script>"""

NAMES = sorted(
    str(path.relative_to(FIXTURES))
    for path in (*FIXTURES.glob("*.glb"), *FIXTURES.glob("*.vrm"), *FIXTURES.glob("folder/*.gltf"))
    if path.stem not in ("avif", "ktx2", "gltfpack-cc-khr")  # refused; newer than three.js 0.180
)


@pytest.fixture
def flat(monkeypatch):
    monkeypatch.setitem(importlib.import_module("emo3d.face.render")._LIGHTS, "flat", FLAT)
    return RenderSettings(name="flat", size=SIZE)


def decoded(address):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("RGBA")).astype(float)


def nearest(points, others):
    return cKDTree(others).query(points)[0].max()


@pytest.mark.parametrize("name", NAMES)
def test_a_head_is_what_three_js_shows(name, shelf, visit, flat):
    if "draco" in name:
        pytest.importorskip("DracoPy", reason="needs the extra compressed")
    folder, address = shelf
    shutil.copytree(FIXTURES, folder / "heads")
    (folder / "index.html").write_text(PAGE % (IMPORTS, 2 * SIZE, 2 * SIZE))
    rig = FaceRig.from_glb(FIXTURES / name)
    rig = replace(rig, gloss=np.zeros(len(rig.neutral), np.float32))
    expressions = np.zeros((2, 51))
    for unit, weight in WEIGHTS.items():
        expressions[1, BLENDSHAPES.index(unit)] = weight
    ours = render(expressions, rig=rig, settings=flat).astype(float)
    page = visit(f"{address}/index.html", width=2 * SIZE)
    page.wait_for_function("window.ready")
    turn = np.pi if name == "vrm-0.vrm" else 0  # VRM 0.x faces -z
    for picture, vertices, weights in zip(ours, rig.vertices(expressions), ({}, WEIGHTS), strict=True):
        show = f"show({json.dumps(f'./heads/{name}')}, {json.dumps(list(map(float, rig.frame)))}, {json.dumps(weights)}, {turn})"
        theirs = page.evaluate(show)
        points = np.array(theirs["points"]).reshape(-1, 3)
        print(name, nearest(vertices, points)/rig.frame[3], nearest(points, vertices)/rig.frame[3], len(points), len(vertices))
        whole = decoded(theirs["picture"])
        alpha = whole[..., 3:] / 255
        other = (whole[..., :3] * alpha + BACKGROUND * (1 - alpha)).reshape(SIZE, 2, SIZE, 2, 3).mean(axis=(1, 3))
        there, here = (np.abs(each - BACKGROUND).max(axis=2) > 12 for each in (other, picture))
        print("IoU", (there & here).sum() / (there | here).sum(), "mean", np.abs(other - picture)[there].mean())
        regions = decoded(theirs["regions"])[::2, ::2]
        for number, mesh in enumerate(theirs["names"], 1):
            region = (regions[..., 0] == number) & (regions[..., 3] == 255)
            if region.any(): print(mesh, region.sum(), np.round(other[region].mean(axis=0)), np.round(picture[region].mean(axis=0)))
        Image.fromarray(np.concatenate([other, picture], 1).astype(np.uint8)).save(f"/work/tmp/hX/side-{name.replace('/','-')}-{bool(weights)}.png")
