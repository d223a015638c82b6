"""Pages on which other people's viewers show an avatar; NAME stands for its file."""

from viewers import IMPORTS

_START = '<!doctype html><link rel="icon" href="data:,"><style>body { margin: 0 }</style>' + IMPORTS

TALKING_HEAD = (
    _START
    + """<div id="stage" style="width: 700px; height: 900px; background: #d8dce2"></div><script type="module">
import { TalkingHead } from "talkinghead";
try {
  window.peaks = {};
  window.head = new TalkingHead(document.getElementById("stage"), {
    ttsEndpoint: "none", lipsyncModules: ["en"], lipsyncLang: "en", cameraRotateEnable: false,
    lightAmbientIntensity: 1.2, lightDirectIntensity: 8, lightDirectColor: 0xffffff,
    update: () => {
      for (const [name, weight] of Object.entries(window.influences ? influences() : {}))
        peaks[name] = Math.max(peaks[name] || 0, weight);
    },
  });
  await head.showAvatar({ url: "./NAME", body: "M", lipsyncLang: "en" });
  const face = head.armature.getObjectByName("face");
  window.influences = () => Object.fromEntries(
    Object.entries(face.morphTargetDictionary).map(([name, place]) => [name, face.morphTargetInfluences[place]]));
  window.place = (name) => {
    const p = head.armature.getObjectByName(name).position.clone();
    head.armature.getObjectByName(name).getWorldPosition(p);
    return p.toArray();
  };
  window.speak = async (words, wtimes, wdurations) => {
    await head.audioCtx.resume();
    const audio = head.audioCtx.createBuffer(1, 8 * 22050, 22050);
    audio.getChannelData(0).forEach((_, k, data) => { data[k] = 0.2 * Math.sin(k / 20); });
    head.speakAudio({ audio, words, wtimes, wdurations });
  };
  window.ready = true;
} catch (error) { window.failed = String(error.stack || error); }
</script>"""
)

THREE_VRM = (
    _START
    + """<canvas id="stage" width="700" height="900"></canvas><script type="module">
import * as THREE from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { VRMLoaderPlugin } from "@pixiv/three-vrm";
try {
  const stage = document.getElementById("stage");
  const renderer = new THREE.WebGLRenderer({ canvas: stage, antialias: true, preserveDrawingBuffer: true });
  renderer.setClearColor(0xd8dce2);
  const scene = new THREE.Scene(), camera = new THREE.PerspectiveCamera(25, 7 / 9, 0.1, 20);
  const sun = new THREE.DirectionalLight(0xffffff, 2.5);
  sun.position.set(1, 2, 3);
  scene.add(new THREE.HemisphereLight(0xffffff, 0x888899, 2), sun);
  const loader = new GLTFLoader();
  loader.register((parser) => new VRMLoaderPlugin(parser));
  window.vrm = (await loader.loadAsync("./NAME")).userData.vrm;
  scene.add(vrm.scene);
  const face = vrm.scene.getObjectByName("face");
  window.influences = () => Object.fromEntries(
    Object.entries(face.morphTargetDictionary).map(([name, place]) => [name, face.morphTargetInfluences[place]]));
  window.arms = (turn) => {
    vrm.humanoid.getNormalizedBoneNode("leftUpperArm").rotation.z = -turn;
    vrm.humanoid.getNormalizedBoneNode("rightUpperArm").rotation.z = turn;
  };
  window.draw = (height, distance) => {
    vrm.update(1 / 30);
    camera.position.set(0, height, distance);
    camera.lookAt(0, height, 0);
    renderer.render(scene, camera);
  };
  window.drawFace = () => draw(vrm.humanoid.getRawBoneNode("head").getWorldPosition(new THREE.Vector3()).y + 0.08, 1);
  window.lookAt = (...place) => {
    vrm.lookAt.target = new THREE.Object3D();
    vrm.lookAt.target.position.set(...place);
    vrm.lookAt.target.updateMatrixWorld();
  };
  window.ready = true;
} catch (error) { window.failed = String(error.stack || error); }
</script>"""
)
