/** What a character may be at most, so that its file is shown within a second or refused within one. */
export const LIMITS = {
  bytes: 50_000_000, // of the file
  json: 8_000_000, // bytes of its JSON
  objects: 500_000, // objects and lists in it
  unpacked: 100_000_000, // bytes of all buffer views that are used, after decompression
  nodes: 10_000,
  depth: 200, // of nodes within nodes
  parts: 2_000, // primitives as often as they are placed
  vertices: 500_000, // as often as they are placed
  corners: 6_000_000, // of triangles
  moved: 4_000_000, // vertices times their morph targets, normals counted as others
  joints: 20_000, // of all skins
  targets: 1_000, // of a mesh
  binds: 20_000, // of a VRM's expressions
  entries: 20_000, // of any other list
  images: 128,
  side: 8192, // pixels of a texture
  texels: 128_000_000, // of all textures
};

/** Part of a file's JSON: anything, until it is checked. */
export type Entry = Record<string, any>;

/** Refuses more of something than a limit. */
export function most(what: string, got: number, limit: number): void {
  if (got > limit) throw new RangeError(`expected at most ${limit} ${what}, got ${got}`);
}
