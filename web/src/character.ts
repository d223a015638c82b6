import { Box3, Sphere, Texture, type BufferAttribute, type Mesh, type Object3D, type SkinnedMesh } from "three";
import { MeshoptDecoder } from "three/addons/libs/meshopt_decoder.module.js";
import { GLTFLoader, type GLTF, type GLTFParser } from "three/addons/loaders/GLTFLoader.js";
import { three, type Adapter } from "./adapters.ts";
import { bakeGlb } from "./baking.ts";
import type { Bind } from "./expressions.ts";
import { frameHead, type Frame, type Slot } from "./framing.ts";
import type { Entry } from "./limits.ts";
import { openCharacter, type Opened } from "./opening.ts";
import { inlineBytes, pictureSize } from "./pictures.ts";
import { spreader } from "./presets.ts";
import { blendshapeOf, type Names } from "./spelling.ts";
import { ordered, TARGETS, type Weights } from "./weights.ts";

export { LIMITS } from "./limits.ts";

/** A character that wears weights. */
export interface Character {
  /** Of three.js, turned to +z. */
  readonly scene: Object3D;
  readonly frame: Frame;
  /** Shows weights, until others are. */
  readonly apply: Adapter;
  /** ARKit's blendshapes that it has no shapes for. */
  readonly missing: readonly string[];
  /** What is to be said of it, a sentence each. */
  readonly notes: readonly string[];
  /** The file it came from with weights as its default ones: the whole file back. */
  bake(weights: Weights): Blob;
  /** Frees what the graphics card holds of it. */
  dispose(): void;
}

const SIDE = 1024; // texels of a texture that is kept; a picture of a face shows less
const SECONDS = 20; // that three.js may take for a file within the limits

/**
 * Loads a GLB or VRM of a visitor or one's own, checked and bounded before three.js sees it (`LIMITS`).
 *
 * Weights go to morph targets with ARKit's names, in any spelling. A VRM with less than half of them is driven by its
 * expressions (Perfect Sync, then presets): see `spreader`.
 *
 * @param source a file, which never leaves the browser, or a URL.
 * @throws RangeError: one sentence on what is wrong with it.
 */
export async function loadCharacter(source: Blob | string, { names }: { names?: Names } = {}): Promise<Character> {
  const opened = await openCharacter(source);
  const unread: number[] = [];
  const gltf = await parse(opened, unread);
  const meshes: Mesh[] = [];
  gltf.scene.traverse((thing) => {
    thing.frustumCulled = false; // its boxes are of the mesh at rest
    if (!(thing as Mesh).isMesh) return;
    meshes.push(thing as Mesh);
    setBounds(thing as Mesh);
    // glTF's default is metal, which shows what is around it: here there is nothing.
    for (const material of [(thing as Mesh).material].flat()) if ("metalness" in material) material.metalness = 0;
  });
  const places = new Map(meshes.map((mesh) => [mesh, gltf.parser.associations.get(mesh)?.meshes]));
  const targets = slotsByTarget(meshes, names);
  const expressions = slotsByExpression(opened.glb.expressions, places);
  const isByExpression = targets.size < TARGETS.length / 2 && expressions.size > 0;
  const slots = isByExpression ? expressions : targets;
  const apply = isByExpression ? wear(expressions, names) : three(gltf.scene, names);
  const some = (...titles: string[]) => titles.flatMap((title) => slots.get(title) ?? []);
  const lids = some("eyeBlinkLeft", "eyeBlinkRight", "blinkLeft", "blinkRight", "blink");
  const lips = some("mouthPucker", "mouthFunnel", "mouthSmileLeft", "mouthSmileRight", "aa", "ih", "ou", "ee", "oh");
  if (opened.glb.version === "0.x") gltf.scene.rotation.y = Math.PI; // such avatars look along -z
  const all = [...slots.values()].flat();
  const units = isByExpression
    ? [...expressions.keys()].map((title) => blendshapeOf(title, names))
    : [...targets.keys()];
  const missing = TARGETS.filter((name) => !units.includes(name));
  const driven = new Set(all.map(({ mesh }) => places.get(mesh)!));
  return {
    ...{ scene: gltf.scene, frame: frameHead(gltf.scene, lids, lips, all), apply, missing },
    notes: [
      ...notesOf(missing, isByExpression ? [...expressions.keys()] : []),
      ...unread.map((index) => `The browser cannot read its picture ${index}: what wears it is plain.`),
    ],
    bake(weights) {
      apply(weights);
      const influences = new Map<number, number[]>();
      for (const mesh of meshes)
        if (driven.has(places.get(mesh)!)) influences.set(places.get(mesh)!, [...mesh.morphTargetInfluences!]);
      return bakeGlb(opened.content, influences);
    },
    dispose() {
      for (const { geometry, material } of meshes) {
        geometry.dispose();
        for (const each of [material].flat()) {
          for (const value of Object.values(each)) if (value instanceof Texture) value.dispose();
          each.dispose();
        }
      }
    },
  };
}

/** Bounds of a mesh at rest, by which it is sorted: three.js would look at every target and joint. */
function setBounds(mesh: Mesh): void {
  const { position } = mesh.geometry.attributes;
  mesh.geometry.boundingSphere ??= new Box3()
    .setFromBufferAttribute(position as BufferAttribute)
    .getBoundingSphere(new Sphere());
  (mesh as SkinnedMesh).boundingSphere = mesh.geometry.boundingSphere;
}

function notesOf(missing: string[], expressions: string[]): string[] {
  const presets = expressions.filter((title) => !blendshapeOf(title));
  if (missing.length === TARGETS.length)
    return [`It has none of ARKit's 52 blendshapes: weights become the nearest mixture of ${presets.join(", ")}.`];
  const mixed = presets.length && missing.length ? " Its presets stand in for them." : "";
  return missing.length
    ? [`It has ${TARGETS.length - missing.length} of ARKit's 52 blendshapes; missing: ${missing.join(", ")}.${mixed}`]
    : [];
}

function slotsByTarget(meshes: Mesh[], names?: Names): Map<string, Slot[]> {
  const slots = new Map<string, Slot[]>();
  for (const mesh of meshes)
    for (const [name, target] of Object.entries(mesh.morphTargetDictionary ?? {})) {
      const unit = blendshapeOf(name, names);
      if (unit) slots.set(unit, [...(slots.get(unit) ?? []), { mesh, target, weight: 1 }]);
    }
  return slots;
}

function slotsByExpression(
  expressions: Record<string, Bind[]>,
  places: Map<Mesh, number | undefined>,
): Map<string, Slot[]> {
  const meshes = [...places.keys()];
  const slots = Object.entries(expressions).map(([name, binds]): [string, Slot[]] => [
    name,
    binds.flatMap(({ mesh: index, target, weight }) =>
      meshes.filter((mesh) => places.get(mesh) === index).map((mesh) => ({ mesh, target, weight })),
    ),
  ]);
  return new Map(slots.filter(([, each]) => each.length));
}

/** Weights by a VRM's expressions; what several move is added up. */
function wear(slots: Map<string, Slot[]>, names?: Names): Adapter {
  const spread = spreader(slots.keys(), names);
  const all = [...slots.values()].flat();
  return (weights) => {
    for (const { mesh, target } of all) mesh.morphTargetInfluences![target] = 0;
    for (const [name, amount] of spread(ordered(weights)))
      for (const { mesh, target, weight } of slots.get(name)!) mesh.morphTargetInfluences![target] += amount * weight;
  };
}

/** Has three.js read what was checked. Nothing is fetched, not even by blob: URLs, which a strict policy forbids. */
async function parse({ glb, content }: Opened, unread: number[]): Promise<GLTF> {
  const loader = new GLTFLoader();
  loader.setMeshoptDecoder(MeshoptDecoder);
  loader.register((parser) => {
    const pictures = new Map<number, Promise<Texture>>();
    const inside = parser as GLTFParser & { loadBuffer: unknown; loadImageSource: unknown };
    inside.loadBuffer = () => Promise.resolve(content.slice(...glb.chunk));
    inside.loadImageSource = async (index: number) => {
      if (!pictures.has(index)) {
        pictures.set(index, decode(parser, glb.json.images[index]));
        pictures.get(index)!.catch(() => unread.push(index)); // three.js goes on without it and says nothing
      }
      return (await pictures.get(index)!).clone();
    };
    return { name: "emo3d" };
  });
  let timer: ReturnType<typeof setTimeout>;
  const late = new Promise<never>((_, reject) => {
    const error = new RangeError(`expected a character that three.js reads in ${SECONDS} seconds, got a slower one`);
    timer = setTimeout(() => reject(error), 1000 * SECONDS);
  });
  const reading = loader.parseAsync(glb.json as unknown as ArrayBuffer, "").catch((error) => {
    throw new RangeError(`expected a glTF that three.js reads, got one that it does not: ${error?.message ?? error}`);
  });
  return Promise.race([reading, late]).finally(() => clearTimeout(timer));
}

async function decode(parser: GLTFParser, { bufferView, mimeType, uri }: Entry): Promise<Texture> {
  const bytes = inlineBytes(uri) ?? new Uint8Array(await parser.getDependency("bufferView", bufferView));
  const { width, height } = pictureSize(bytes);
  const scale = SIDE / Math.max(SIDE, width, height);
  const picture = await createImageBitmap(new Blob([bytes], { type: mimeType }), {
    ...{ premultiplyAlpha: "none", colorSpaceConversion: "none", resizeQuality: "high" },
    ...{ resizeWidth: Math.max(1, Math.round(scale * width)), resizeHeight: Math.max(1, Math.round(scale * height)) },
  });
  const texture = new Texture(picture);
  texture.needsUpdate = true;
  return texture;
}
