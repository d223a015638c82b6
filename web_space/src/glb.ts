import { TARGETS, type Weights } from "../../web/src/weights.ts";

const [MAGIC, JSON_CHUNK] = [0x46546c67, 0x4e4f534a];

interface Mesh {
  weights?: number[];
  primitives?: { targets?: unknown[] }[];
  extras?: { targetNames?: string[] };
}

/**
 * A GLB or VRM with weights as the ones it opens with; all else is as it was. Targets are found by ARKit's names.
 *
 * @throws RangeError where the file is no GLB of glTF 2, or has no target of such a name.
 */
export function withWeights(file: Uint8Array, weights: Weights): Uint8Array<ArrayBuffer> {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const length = file.byteLength >= 20 && view.getUint32(0, true) === MAGIC ? view.getUint32(12, true) : 0;
  if (!length || view.getUint32(16, true) !== JSON_CHUNK || 20 + length > file.byteLength) {
    throw new RangeError("expected a GLB of glTF 2.0, got another file");
  }
  const gltf = JSON.parse(new TextDecoder().decode(file.subarray(20, 20 + length))) as {
    meshes?: Mesh[];
    nodes?: { mesh?: number; weights?: number[] }[];
  };
  const values = new Map(TARGETS.map((name) => [name.toLowerCase(), weights[name] ?? 0]));
  let moved = false;
  gltf.meshes?.forEach((mesh, place) => {
    const count = mesh.primitives?.[0]?.targets?.length ?? 0;
    const names = mesh.extras?.targetNames ?? [];
    const known = names.slice(0, count).some((name) => values.has(String(name).toLowerCase()));
    if (!known) return;
    moved = true;
    const before = mesh.weights ?? [];
    mesh.weights = Array.from({ length: count }, (_, i) => values.get(String(names[i]).toLowerCase()) ?? before[i] ?? 0);
    for (const node of gltf.nodes ?? []) if (node.mesh === place) delete node.weights; // or they would stand in its place
  });
  if (!moved) throw new RangeError("expected morph targets of ARKit's names, found none: this file cannot carry the face");
  return joined(new TextEncoder().encode(JSON.stringify(gltf)), file.subarray(20 + length));
}

function joined(json: Uint8Array, rest: Uint8Array): Uint8Array<ArrayBuffer> {
  const padded = Math.ceil(json.length / 4) * 4;
  const bytes = new Uint8Array(20 + padded + rest.length).fill(0x20, 20, 20 + padded);
  const view = new DataView(bytes.buffer);
  [MAGIC, 2, bytes.length, padded, JSON_CHUNK].forEach((number, place) => view.setUint32(4 * place, number, true));
  bytes.set(json, 20);
  bytes.set(rest, 20 + padded);
  return bytes;
}
