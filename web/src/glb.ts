import { LIMITS, most, type Entry } from "./limits.ts";
import { inlineBytes, pictureSize } from "./pictures.ts";
import { quoted } from "./spelling.ts";
import { expressionsOf, type Bind } from "./expressions.ts";

/** A GLB that was checked: what of its JSON is shown, where its binary chunk lies, and a VRM's expressions. */
export interface Glb {
  json: Entry;
  chunk: [start: number, end: number];
  version: "0.x" | "1.0" | undefined; // of a VRM
  expressions: Record<string, Bind[]>; // by the names of VRM 1.0
}

const SIZES: Record<number, number> = { 5120: 1, 5121: 1, 5122: 2, 5123: 2, 5125: 4, 5126: 4 };
const WIDTHS: Record<string, number> = { SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4, MAT2: 4, MAT3: 9, MAT4: 16 };
const ATTRIBUTES = /^(POSITION|NORMAL|TANGENT|TEXCOORD_[0-3]|COLOR_0|JOINTS_0|WEIGHTS_0)$/;
const MATERIALS = ["KHR_materials_unlit", "KHR_materials_emissive_strength"];
const REQUIRED =
  /^(KHR_(mesh_quantization|texture_transform|materials_\w+)|EXT_(meshopt_compression|texture_webp)|VRMC?_?\w*)$/;
const MESHOPT = "EXT_meshopt_compression";
/** The chunks of a GLB: its JSON, where the binary chunk lies, and where what follows begins. */
export function chunksOf(content: ArrayBuffer): { text: Uint8Array; chunk: [number, number] } {
  const view = new DataView(content);
  if (content.byteLength < 20 || view.getUint32(0) !== 0x676c5446)
    throw new RangeError(
      "expected a .glb or .vrm file, got something else; a .gltf with files beside it becomes one .glb",
    );
  const length = view.getUint32(8, true);
  if (view.getUint32(4, true) !== 2 || length > content.byteLength)
    throw new RangeError(
      `expected a GLB of version 2 and ${length} bytes, got version ${view.getUint32(4, true)}, ` +
        `${content.byteLength} bytes`,
    );
  const size = view.getUint32(12, true);
  if (view.getUint32(16, true) !== 0x4e4f534a || 20 + size > length)
    throw new RangeError("expected a GLB that begins with its JSON, got one that does not");
  most("bytes of JSON", size, LIMITS.json);
  const start = 20 + size;
  const hasChunk = start + 8 <= length && view.getUint32(start + 4, true) === 0x004e4942;
  const end = hasChunk ? start + 8 + view.getUint32(start, true) : start;
  if (end > length) throw new RangeError(`expected ${end} bytes in the binary chunk's place, got ${length}`);
  return { text: new Uint8Array(content, 20, size), chunk: hasChunk ? [start + 8, end] : [start, start] };
}

/**
 * Checks a GLB or VRM before anything is allocated by what it says of itself, and keeps what is shown of it: the
 * default scene without animations, cameras, lights and other extensions.
 *
 * @throws RangeError: one sentence, what was expected and what came.
 */
export function readGlb(content: ArrayBuffer): Glb {
  most("bytes", content.byteLength, LIMITS.bytes);
  const { text, chunk } = chunksOf(content);
  let objects = 0;
  for (const byte of text) if (byte === 0x5b || byte === 0x7b) objects += 1; // [ and {
  most("objects and lists of JSON", objects, LIMITS.objects);
  let json: Entry;
  try {
    json = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(text));
  } catch {
    throw new RangeError("expected JSON in the GLB, got something else");
  }
  try {
    return new Check(json, new Uint8Array(content, chunk[0], chunk[1] - chunk[0])).glb(chunk);
  } catch (error) {
    if (error instanceof RangeError) throw error;
    throw new RangeError("expected a glTF 2.0 file, got a broken one: a list or an object is not where it should be");
  }
}

class Check {
  private readonly views = new Map<number, number>(); // index -> bytes, unpacked
  private readonly lists = new Map<string, Entry[]>();
  private readonly sparse = new Set<number>();
  private unpacked = 0;
  private readonly json: Entry;
  private readonly data: Uint8Array;

  constructor(json: Entry, data: Uint8Array) {
    this.json = json;
    this.data = data;
  }

  glb(chunk: [number, number]): Glb {
    const { asset, extensions = {}, extensionsRequired = [] } = this.json;
    if (!String(asset?.version).startsWith("2."))
      throw new RangeError(`expected glTF 2.0, got version ${quoted(asset?.version)}`);
    for (const name of extensionsRequired)
      if (!REQUIRED.test(name))
        throw new RangeError(
          `expected a file without other compression or extensions, got one that needs ${quoted(name)}: ` +
            "export it plain",
        );
    for (const kind of ["buffers", "images"])
      for (const { uri } of this.list(kind))
        if (uri !== undefined && !(kind === "images" && String(uri).startsWith("data:image/")))
          throw new RangeError(
            `expected everything inside the file, got a reference to ${quoted(uri)}: pack it as one .glb`,
          );
    const nodes = this.nodes();
    const meshes = this.meshes(nodes);
    const skins = this.skins(nodes.length);
    const images = this.images();
    const bufferViews = this.list("bufferViews").map(({ byteOffset, byteLength, byteStride, extensions: packed }) => ({
      ...{ buffer: 0, byteOffset, byteLength, byteStride },
      ...(packed?.[MESHOPT] && { extensions: { [MESHOPT]: packed[MESHOPT] } }),
    }));
    const kept = {
      asset: { version: "2.0" },
      extensionsUsed: ["KHR_materials_unlit", "KHR_texture_transform", "KHR_mesh_quantization"],
      buffers: [{ byteLength: this.data.length }],
      ...{ nodes, meshes, skins, images, bufferViews, scene: 0, scenes: [{ nodes: this.roots(nodes) }] },
      accessors: this.list("accessors"),
      samplers: this.list("samplers"),
      textures: this.list("textures").map((texture) => ({
        sampler: texture.sampler,
        source: texture.extensions?.EXT_texture_webp?.source ?? texture.source,
      })),
      materials: this.list("materials").map((material) => ({
        ...material,
        extras: undefined,
        extensions: only(material),
      })),
    };
    // What three.js is given has no undefined entries and no place where a prototype could hide.
    const json = JSON.parse(JSON.stringify(kept));
    const version = extensions.VRMC_vrm ? "1.0" : extensions.VRM ? "0.x" : undefined;
    return { json, chunk, version, expressions: expressionsOf(extensions, nodes, meshes) };
  }

  private list(kind: string): Entry[] {
    const known = this.lists.get(kind);
    if (known) return known;
    const entries = this.json[kind] ?? [];
    if (!Array.isArray(entries) || entries.some((entry) => typeof entry !== "object" || !entry))
      throw new RangeError(`expected a list of ${kind}, got something else`);
    most(kind, entries.length, kind === "nodes" || kind === "images" ? LIMITS[kind] : LIMITS.entries);
    this.lists.set(kind, entries);
    return entries;
  }

  private entry(kind: string, index: unknown): Entry {
    const entries = this.list(kind);
    if (!isWhole(index) || index >= entries.length)
      throw new RangeError(`expected one of ${entries.length} ${kind}, got ${quoted(index)}`);
    return entries[index];
  }

  /** Nodes as a forest of bounded depth. */
  private nodes(): Entry[] {
    const nodes = this.list("nodes");
    const parents = new Map<number, number>();
    for (const [index, { children = [] }] of nodes.entries())
      for (const child of children) {
        this.entry("nodes", child);
        if (parents.has(child)) throw new RangeError(`expected nodes in a tree, got node ${child} twice`);
        parents.set(child, index);
      }
    for (const start of nodes.keys()) {
      let depth = 0;
      for (let node: number | undefined = start; node !== undefined; node = parents.get(node))
        if (++depth > LIMITS.depth)
          throw new RangeError(`expected nodes in a tree of depth ${LIMITS.depth}, got a deeper one`);
    }
    return nodes.map(({ name, children, mesh, skin, matrix, translation, rotation, scale, weights }) => ({
      ...{
        name,
        children,
        mesh,
        skin: mesh === undefined ? undefined : skin,
        matrix,
        translation,
        rotation,
        scale,
        weights,
      },
    }));
  }

  private roots(nodes: Entry[]): number[] {
    const { nodes: roots } = this.json.scenes ? this.entry("scenes", this.json.scene ?? 0) : { nodes: undefined };
    const children = new Set(nodes.flatMap((node) => node.children ?? []));
    const free = [...nodes.keys()].filter((node) => !children.has(node));
    if (roots === undefined) return this.json.scenes ? [] : free;
    for (const root of roots) this.entry("nodes", root);
    if (new Set(roots).size !== roots.length || roots.some((root: number) => children.has(root)))
      throw new RangeError("expected a scene of nodes without parents, got others");
    return roots;
  }

  private meshes(nodes: Entry[]): Entry[] {
    let parts = 0;
    let vertices = 0;
    let corners = 0;
    let moved = 0;
    const sizes: { parts: number; vertices: number; corners: number }[] = [];
    const meshes = this.list("meshes").map((mesh, index) => {
      const size = { parts: mesh.primitives.length, vertices: 0, corners: 0 };
      most("primitives", size.parts, LIMITS.parts);
      const primitives = mesh.primitives.map((part: Entry) => {
        const attributes = this.attributes(part.attributes);
        const count = this.values(attributes.POSITION);
        size.vertices += count;
        size.corners += part.indices === undefined ? count : this.values(part.indices);
        const targets = part.targets?.map((target: Entry) => this.attributes(target, count));
        moved += count * (targets ?? []).reduce((sum: number, each: Entry) => sum + Object.keys(each).length, 0);
        most("vertices times morph targets", moved, LIMITS.moved);
        this.attributes(attributes, count);
        if (part.material !== undefined) this.entry("materials", part.material);
        return { attributes, targets, indices: part.indices, material: part.material, mode: part.mode };
      });
      sizes.push(size);
      const names = mesh.extras?.targetNames ?? mesh.primitives[0]?.extras?.targetNames;
      const targets = primitives[0]?.targets?.length ?? 0;
      most(`morph targets of mesh ${index}`, targets, LIMITS.targets);
      if (primitives.some((part: Entry) => (part.targets?.length ?? 0) !== targets))
        throw new RangeError(`expected as many morph targets of all primitives of mesh ${index}, got others`);
      const targetNames = Array.isArray(names) && names.length === targets ? names.map(String) : undefined;
      return { name: mesh.name, primitives, weights: mesh.weights, extras: targetNames && { targetNames } };
    });
    for (const { mesh, skin } of nodes) {
      if (mesh !== undefined) this.entry("meshes", mesh);
      if (skin !== undefined) this.entry("skins", skin);
      parts += sizes[mesh]?.parts ?? 0;
      vertices += sizes[mesh]?.vertices ?? 0;
      corners += sizes[mesh]?.corners ?? 0;
    }
    most("primitives", parts, LIMITS.parts);
    most("vertices", vertices, LIMITS.vertices);
    most("corners of triangles", corners, LIMITS.corners);
    return meshes;
  }

  private attributes(entry: Entry, count?: number): Entry {
    const kept = Object.entries(entry).filter(([name]) => ATTRIBUTES.test(name));
    for (const [name, index] of kept)
      if (count !== undefined && this.values(index) !== count)
        throw new RangeError(`expected ${count} values of ${name}, got ${this.values(index)}`);
    return Object.fromEntries(kept);
  }

  /** Number of values of an accessor whose bytes are there. */
  private values(index: unknown): number {
    const { type, componentType, count, byteOffset = 0, bufferView, sparse } = this.entry("accessors", index);
    const width = WIDTHS[type] * SIZES[componentType];
    if (!isWhole(count) || !isWhole(byteOffset) || count < 1 || !width)
      throw new RangeError(`expected a count, type and kind of values in accessor ${index}, got others`);
    most(`values in accessor ${index}`, count, LIMITS.corners);
    if (bufferView !== undefined) this.within(bufferView, byteOffset, count, width);
    else if (!sparse) throw new RangeError(`expected values in accessor ${index}, got none`);
    if (sparse) {
      if (!this.sparse.has(index as number)) this.claim(count * width); // a copy is made
      this.sparse.add(index as number);
      if (!isWhole(sparse.count) || sparse.count < 1 || sparse.count > count)
        throw new RangeError(
          `expected at most ${count} sparse values in accessor ${index}, got ${quoted(sparse.count)}`,
        );
      this.within(
        sparse.indices.bufferView,
        sparse.indices.byteOffset ?? 0,
        sparse.count,
        SIZES[sparse.indices.componentType],
      );
      this.within(sparse.values.bufferView, sparse.values.byteOffset ?? 0, sparse.count, width);
    }
    return count;
  }

  private within(view: unknown, offset: number, count: number, width: number): void {
    const stride = this.entry("bufferViews", view).byteStride ?? width;
    const size = offset + (count - 1) * stride + width;
    if (!isWhole(stride) || stride < width || !isWhole(offset) || !(size <= this.view(view as number)))
      throw new RangeError(`expected ${size} bytes in buffer view ${view}, got ${this.view(view as number)}`);
  }

  /** Bytes of a buffer view, unpacked; all that are used are counted. */
  private view(index: number): number {
    const known = this.views.get(index);
    if (known !== undefined) return known;
    const view = this.entry("bufferViews", index);
    const packed = view.extensions?.[MESHOPT];
    const { buffer, byteOffset = 0, byteLength } = packed ?? view;
    if (buffer !== 0 || !isWhole(byteOffset) || !isWhole(byteLength) || byteOffset + byteLength > this.data.length)
      throw new RangeError(`expected buffer view ${index} within ${this.data.length} bytes, got one that is not`);
    if (packed && !(isWhole(packed.count) && isWhole(packed.byteStride) && packed.byteStride <= 256))
      throw new RangeError(`expected a count and a stride of what is packed in buffer view ${index}, got others`);
    const size = packed ? packed.count * packed.byteStride : byteLength;
    this.views.set(index, size);
    this.claim(size);
    return size;
  }

  private claim(bytes: number): void {
    this.unpacked += bytes;
    most("bytes of buffer views, unpacked", this.unpacked, LIMITS.unpacked);
  }

  private skins(nodes: number): Entry[] {
    let joints = 0;
    return this.list("skins").map((skin) => {
      joints += skin.joints.length;
      most("joints", joints, LIMITS.joints);
      if (!skin.joints.every((joint: unknown) => isWhole(joint) && joint < nodes))
        throw new RangeError("expected joints that are nodes, got others");
      if (skin.inverseBindMatrices !== undefined && this.values(skin.inverseBindMatrices) < skin.joints.length)
        throw new RangeError("expected a matrix for each joint, got fewer");
      return { joints: skin.joints, inverseBindMatrices: skin.inverseBindMatrices };
    });
  }

  private images(): Entry[] {
    let texels = 0;
    return this.list("images").map(({ bufferView, mimeType, uri }, index) => {
      let size;
      try {
        size = pictureSize(inlineBytes(uri) ?? this.slice(bufferView));
      } catch (error) {
        throw new RangeError(`image ${index}: ${(error as Error).message}`);
      }
      most(`pixels along a side of image ${index}`, Math.max(size.width, size.height), LIMITS.side);
      texels += size.width * size.height;
      most("pixels of all textures", texels, LIMITS.texels);
      return uri === undefined ? { bufferView, mimeType } : { uri, mimeType };
    });
  }

  private slice(view: unknown): Uint8Array {
    const { byteOffset = 0, byteLength, extensions } = this.entry("bufferViews", view);
    this.view(view as number);
    if (extensions?.[MESHOPT]) throw new RangeError("expected a picture, got something packed");
    return this.data.subarray(byteOffset, byteOffset + byteLength);
  }
}

function only(material: Entry): Entry {
  return Object.fromEntries(Object.entries(material.extensions ?? {}).filter(([name]) => MATERIALS.includes(name)));
}

function isWhole(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 40;
}
