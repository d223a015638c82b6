import { chunksOf } from "./glb.ts";

/**
 * A GLB with other default weights of its meshes; every other byte of its chunks is what it was.
 *
 * @param weights by the number of the mesh; a node with weights of its own for it gets them, too.
 */
export function bakeGlb(content: ArrayBuffer, weights: Map<number, number[]>): Blob {
  const { text } = chunksOf(content);
  const json = JSON.parse(new TextDecoder().decode(text));
  for (const [mesh, values] of weights) {
    const rounded = values.map((value) => Math.round(1e6 * value) / 1e6);
    json.meshes[mesh].weights = rounded;
    for (const node of json.nodes ?? []) if (node.mesh === mesh && node.weights) node.weights = rounded;
  }
  const written = new TextEncoder().encode(JSON.stringify(json));
  const padding = new Uint8Array(-written.length & 3).fill(32);
  const rest = content.slice(20 + text.length, new DataView(content).getUint32(8, true));
  const size = written.length + padding.length;
  const head = new DataView(new ArrayBuffer(20));
  const words = [0x676c5446, 2, 20 + size + rest.byteLength, size, 0x4e4f534a];
  words.forEach((word, place) => head.setUint32(4 * place, word, place > 0));
  return new Blob([head.buffer, written, padding, rest], { type: "model/gltf-binary" });
}
