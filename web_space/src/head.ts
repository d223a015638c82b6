import type { Mesh, Object3D } from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import type { Weights } from "../../web/src/weights.ts";

export interface Character {
  readonly scene: Object3D;
  apply(weights: Weights): void;
  readonly notes: readonly string[];
}

export async function loadCharacter(file: ArrayBuffer, _name: string): Promise<Character> {
  const { scene } = await new GLTFLoader().parseAsync(file, "");
  const meshes: Mesh[] = [];
  scene.traverse((thing) => (thing as Mesh).morphTargetDictionary && meshes.push(thing as Mesh));
  const apply = (weights: Weights) => {
    for (const mesh of meshes)
      for (const [name, place] of Object.entries(mesh.morphTargetDictionary!))
        mesh.morphTargetInfluences![place] = weights[name] ?? 0;
  };
  return { scene, apply, notes: [] };
}
