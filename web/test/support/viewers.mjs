// Pages on which other people's viewers wear our weights by the adapters of dist; CHARACTER stands for the file.
import { launch, WEB } from "./browser.mjs";
import { CHARACTERS } from "./characters.mjs";
import { serve } from "./server.mjs";

const START = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><style>body { margin: 0 }</style>
<script type="importmap">{"imports": {
"three": "/npm/three/build/three.module.js",
"three/addons/": "/npm/three/examples/jsm/",
"@pixiv/three-vrm": "/npm/@pixiv/three-vrm/lib/three-vrm.module.js",
"talkinghead": "/npm/@met4citizen/talkinghead/modules/talkinghead.mjs"
}}</script>`;

const PLAIN = `
const stage = document.getElementById("stage");
const renderer = new THREE.WebGLRenderer({ canvas: stage, antialias: true, preserveDrawingBuffer: true });
renderer.setClearColor(0xdadee4);
const scene = new THREE.Scene(), camera = new THREE.PerspectiveCamera(20, 1, 0.01, 20);
const sun = new THREE.DirectionalLight(0xffffff, 2.2);
sun.position.set(-1, 1.5, 3);
scene.add(new THREE.HemisphereLight(0xffffff, 0x888899, 1.6), sun);
const where = new THREE.Vector3();
window.at = (x, y, z) => { // a place of the scene on the picture
  where.set(x, y, z).project(camera);
  return [(where.x + 1) * 240, (1 - where.y) * 240];
};
const look = (x, y, z) => { camera.position.set(x, y, z + 0.9); camera.lookAt(x, y, z); };`;

export const THREE_PAGE = `${START}<canvas id="stage" width="480" height="480"></canvas><script type="module">
import * as THREE from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { three } from "/dist/adapters.js";
${PLAIN}
const gltf = await new GLTFLoader().loadAsync("CHARACTER");
scene.add(gltf.scene);
look(0, 0.14, 0.12);
const show = three(gltf.scene);
window.wear = (weights) => { show(weights); renderer.render(scene, camera); };
window.meshes = []; gltf.scene.traverse((thing) => thing.morphTargetDictionary && meshes.push(thing));
window.ready = true;
</script>`;

export const VRM_PAGE = `${START}<canvas id="stage" width="480" height="480"></canvas><script type="module">
import * as THREE from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { VRMLoaderPlugin, VRMUtils } from "@pixiv/three-vrm";
import { vrm as adapter } from "/dist/adapters.js";
${PLAIN}
const loader = new GLTFLoader();
loader.register((parser) => new VRMLoaderPlugin(parser));
const { vrm } = (await loader.loadAsync("CHARACTER")).userData;
VRMUtils.rotateVRM0(vrm);
scene.add(vrm.scene);
window.meshes = []; vrm.scene.traverse((thing) => thing.morphTargetDictionary && meshes.push(thing));
vrm.scene.updateMatrixWorld(true);
const [x, y, z] = PLACE ?? vrm.humanoid.getRawBoneNode("head").getWorldPosition(new THREE.Vector3()).toArray();
PLACE ? look(x, y, z) : look(x, y + 0.07, z);
const show = adapter(vrm);
window.wear = (weights) => { show(weights); vrm.update(1 / 30); renderer.render(scene, camera); };
window.amounts = () => Object.fromEntries(vrm.expressionManager.expressions.map((e) => [e.expressionName, e.weight]));
window.ready = true;
</script>`;

export const TALKING_PAGE = `${START}<div id="stage" style="width: 480px; height: 480px; background: #dadee4"></div><script type="module">
import { TalkingHead } from "talkinghead";
import { talkinghead } from "/dist/adapters.js";
const head = new TalkingHead(document.getElementById("stage"), {
  ttsEndpoint: "none", lipsyncModules: ["en"], lipsyncLang: "en", cameraView: "head",
  lightAmbientIntensity: 1.2, lightDirectIntensity: 4, lightDirectColor: 0xffffff,
});
await head.showAvatar({ url: "CHARACTER", body: "M", lipsyncLang: "en" });
const show = talkinghead(head), hold = talkinghead(head, { hold: true });
const face = head.armature.getObjectByName("face");
Object.assign(window, {
  wear: show, hold,
  influences: () => Object.fromEntries(Object.entries(face.morphTargetDictionary).map(([n, k]) => [n, face.morphTargetInfluences[k]])),
  // Mouth and eyes on the picture, by the bones of the eyes in the head's own axes.
  places: () => {
    const bone = head.armature.getObjectByName("Head");
    const [left, right] = ["LeftEye", "RightEye"].map((name) =>
      bone.worldToLocal(head.armature.getObjectByName(name).getWorldPosition(head.camera.position.clone())));
    const mouth = left.clone().add(right).divideScalar(2);
    mouth.y -= 0.07 / bone.getWorldScale(mouth.clone()).y;
    return [mouth, left, right].map((place) => {
      const { x, y } = bone.localToWorld(place.clone()).project(head.camera);
      return [(x + 1) * 240, (1 - y) * 240];
    });
  },
  // Stands still from now on, drawn with the weights that it has, or without those of the 52.
  freeze: (without = []) => {
    head.stop();
    for (const name of without) face.morphTargetInfluences[face.morphTargetDictionary[name]] = 0;
    head.renderer.render(head.scene, head.camera);
  },
  ready: true,
});
</script>`;

/** A browser that shows such pages: `show(page, file)` gives one that is ready, with `problems` of its console. */
export async function startViewers() {
  const pages = {};
  const server = await serve({ "/dist/": `${WEB}dist`, "/npm/": `${WEB}node_modules`, "/characters/": CHARACTERS }, { pages });
  const browser = await launch();
  return {
    async show(text, file, place = null) {
      pages[`/${file}`] = text.replace("CHARACTER", `/characters/${file}`).replaceAll("PLACE", JSON.stringify(place));
      const page = await browser.newPage({ viewport: { width: 480, height: 480 } });
      page.problems = [];
      page.on("pageerror", (error) => page.problems.push(error.message));
      page.on("console", (message) => message.type() === "error" && page.problems.push(message.text()));
      page.setDefaultTimeout(120_000);
      await page.goto(`${server.origin}/${file}`);
      await page.waitForFunction("window.ready");
      return page;
    },
    stop: async () => (await browser.close(), await server.close()),
  };
}
