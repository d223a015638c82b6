// What is refused of files that visitors drop, in one sentence each and before anything is allocated.
import assert from "node:assert";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { sources } from "./bundle.mjs";
import { chunks, content, glb, noCharacters } from "./support/characters.mjs";
import { WEB } from "./support/browser.mjs";

const { readGlb } = await sources("glb");
const { LIMITS } = await sources("limits");
const { pictureSize } = await sources("pictures");
const HEADS = `${WEB}../tests/lab/rigs/compressed/`;
const head = () => chunks(readFileSync(`${HEADS}head.glb`));

/** Our small head with a change; `change` gets its document. */
function changed(change) {
  const { document, chunk } = head();
  return glb(change(document) ?? document, chunk);
}

/** A PNG's first bytes, of any size: all that a decoder would allocate by. */
function png(width, height) {
  const bytes = Buffer.alloc(64);
  bytes.write("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "latin1");
  bytes.writeUInt32BE(width, 16);
  bytes.writeUInt32BE(height, 20);
  return bytes;
}

/** A document with pictures of that size, as many as asked for. */
function pictures(width, height, count) {
  return glb(
    {
      asset: { version: "2.0" },
      buffers: [{ byteLength: 64 }],
      bufferViews: [{ buffer: 0, byteLength: 64 }],
      images: Array.from({ length: count }, () => ({ bufferView: 0, mimeType: "image/png" })),
    },
    png(width, height),
  );
}

const REFUSED = [
  ["no GLB", () => new ArrayBuffer(100), /expected a \.glb or \.vrm file, got something else/],
  ["a text", () => new TextEncoder().encode('{"asset": {"version": "2.0"}}').buffer, /a \.gltf with files beside it/],
  ["nothing", () => new ArrayBuffer(0), /got something else/],
  ["cut off", () => changed(() => {}).slice(0, 5000), /expected a GLB of version 2 and 26\d+ bytes, got version 2, 5000 bytes/],
  ["broken JSON", () => glb("{"), /expected JSON in the GLB/],
  ["deep JSON", () => glb("[".repeat(5e5)), /expected JSON in the GLB/],
  ["deeper JSON", () => glb('{"a":'.repeat(1e6)), /expected at most 500000 objects and lists of JSON, got 1000000/],
  ["JSON too large", () => glb(" ".repeat(LIMITS.json + 4)), /expected at most 8000000 bytes of JSON, got 8000004/],
  ["file too large", () => new ArrayBuffer(LIMITS.bytes + 1), /expected at most 50000000 bytes, got 50000001/],
  ["another version", () => changed((d) => void (d.asset.version = "1.0")), /expected glTF 2.0, got version "1.0"/],
  ["no asset", () => glb("[]"), /expected glTF 2.0, got version "undefined"/],
  ["null", () => glb("null"), /got a broken one/],
  ["a number for a list", () => changed((d) => void (d.nodes = 7)), /expected a list of nodes/],
  ["null in a list", () => changed((d) => void (d.meshes = [null])), /expected a list of meshes/],
  ["meshes without primitives", () => changed((d) => void delete d.meshes[0].primitives), /got a broken one/],
  ["Draco", () => new Uint8Array(readFileSync(`${HEADS}head-draco.glb`)).buffer, /needs "KHR_draco_mesh_compression": export it plain/],
  ["KTX", () => changed((d) => void (d.extensionsRequired = ["KHR_texture_basisu"])), /needs "KHR_texture_basisu"/],
  ["instances", () => changed((d) => void (d.extensionsRequired = ["EXT_mesh_gpu_instancing"])), /EXT_mesh_gpu_instancing/],
  ["a buffer elsewhere", () => changed((d) => void (d.buffers[0].uri = "https://example.org/a.bin")), /got a reference to "https:/],
  ["a picture elsewhere", () => changed((d) => void (d.images = [{ uri: "../../etc/passwd" }])), /a reference to "\.\.\/\.\./],
  ["a drawing", () => changed((d) => void (d.images = [{ uri: "data:image/svg+xml;base64,PHN2Zy8+" }])), /image 0: expected a (whole picture|PNG)/],
  ["no base64", () => changed((d) => void (d.images = [{ uri: "data:image/png;base64,%%%" }])), /image 0: expected base64/],
  ["an inline buffer", () => changed((d) => void (d.buffers[0].uri = "data:application/octet-stream;base64,AA==")), /a reference to "data:/],
  ["a billion vertices", () => changed((d) => void (d.accessors[0].count = 1e9)), /expected at most 6000000 values in accessor 0, got 1000000000/],
  ["more than is there", () => changed((d) => void (d.accessors[0].count = 40_000)), /expected 480000 bytes in buffer view 0, got \d+/],
  ["a negative count", () => changed((d) => void (d.accessors[0].count = -1)), /expected a count, type and kind of values in accessor 0/],
  ["an unknown type", () => changed((d) => void (d.accessors[0].type = "VEC9")), /expected a count, type and kind/],
  ["values out of nothing", () => changed((d) => void delete d.accessors[0].bufferView), /expected values in accessor 0, got none/],
  ["a view beyond the file", () => changed((d) => void (d.bufferViews[0].byteOffset = 1e6)), /expected buffer view 0 within \d+ bytes/],
  ["another buffer", () => changed((d) => void (d.bufferViews[0].buffer = 1)), /expected buffer view 0 within/],
  ["no accessor", () => changed((d) => void (d.meshes[0].primitives[0].indices = 99)), /expected one of \d+ accessors, got "99"/],
  ["an index that is a text", () => changed((d) => void (d.nodes[0].mesh = "__proto__")), /expected one of 1 meshes, got "__proto__"/],
  ["a circle", () => changed((d) => void (d.nodes = [{ children: [1] }, { children: [0] }])), /expected nodes in a tree of depth 200/],
  ["a node twice", () => changed((d) => void (d.nodes = [{ children: [1, 1] }, {}])), /expected nodes in a tree, got node 1 twice/],
  ["a chain", () => changed((d) => void (d.nodes = Array.from({ length: 9000 }, (_, k) => ({ children: k ? [k - 1] : [] })))), /depth 200/],
  ["many nodes", () => changed((d) => void (d.nodes = Array(10_001).fill({}))), /expected at most 10000 nodes, got 10001/],
  ["placed too often", () => changed((d) => void (d.nodes = Array(3000).fill({ mesh: 0 }))), /expected at most 2000 primitives, got 3000/],
  ["too many vertices", manyVertices, /expected at most 500000 vertices, got 1050000/],
  ["too many targets", manyTargets, /expected at most 1000 morph targets of mesh 0, got 1001/],
  ["targets of other sizes", otherSizes, /expected 4 values of POSITION, got 210|expected 210 values of POSITION, got \d+/],
  ["too large a picture", () => pictures(10_000, 10, 1), /expected at most 8192 pixels along a side of image 0, got 10000/],
  ["a bomb", () => pictures(8192, 8192, 2), /expected at most 128000000 pixels of all textures, got 134217728/],
  ["too many pictures", () => pictures(1, 1, 129), /expected at most 128 images, got 129/],
  ["no picture", () => changed((d) => void (d.images = [{ bufferView: 0 }])), /image 0: expected a PNG, JPEG or WebP/],
  ["joints beyond", () => changed((d) => void (d.skins = [{ joints: [77] }])), /expected joints that are nodes/],
  ["views over views", overlapping, /expected at most 100000000 bytes of buffer views, unpacked, got/],
  ["packed a thousandfold", packed, /expected at most 100000000 bytes of buffer views, unpacked, got 250000000/],
  ["sparse", sparse, /expected at most \d+ sparse values in accessor 0, got "1000000"/],
  ["binds", binds, /expected at most 20000 expressions and binds, got 30001/],
];

function manyVertices() {
  const count = 5000;
  const document = {
    asset: { version: "2.0" },
    buffers: [{ byteLength: 12 * count }],
    bufferViews: [{ buffer: 0, byteLength: 12 * count }],
    accessors: [{ bufferView: 0, componentType: 5126, count, type: "VEC3" }],
    meshes: [{ primitives: [{ attributes: { POSITION: 0 } }] }],
    nodes: Array.from({ length: 210 }, () => ({ mesh: 0 })),
  };
  return glb(document, Buffer.alloc(12 * count));
}

function manyTargets() {
  return changed((document) => {
    const [part] = document.meshes[0].primitives;
    part.targets = Array(1001).fill({ POSITION: part.attributes.POSITION });
  });
}

function otherSizes() {
  return changed((document) => {
    const [part] = document.meshes[0].primitives;
    part.targets[0] = { POSITION: part.indices };
  });
}

function overlapping() {
  const size = 1_000_000;
  const document = {
    asset: { version: "2.0" },
    buffers: [{ byteLength: size }],
    bufferViews: Array.from({ length: 200 }, () => ({ buffer: 0, byteLength: size })),
    accessors: Array.from({ length: 200 }, (_, k) => ({ bufferView: k, componentType: 5126, count: 1, type: "VEC3" })),
    meshes: Array.from({ length: 200 }, (_, k) => ({ primitives: [{ attributes: { POSITION: k } }] })),
    nodes: [],
  };
  return glb(document, Buffer.alloc(size));
}

function packed() {
  return changed((document) => {
    const extension = { buffer: 0, byteLength: 100, byteStride: 250, count: 1_000_000, mode: "ATTRIBUTES" };
    document.bufferViews[document.accessors[0].bufferView].extensions = { EXT_meshopt_compression: extension };
  });
}

function sparse() {
  return changed((document) => {
    const indices = { bufferView: 0, componentType: 5123 };
    document.accessors[0].sparse = { count: 1_000_000, indices, values: { bufferView: 0 } };
  });
}

function binds() {
  return changed((document) => {
    const morphTargetBinds = Array(30_000).fill({ node: 0, index: 0, weight: 1 });
    document.extensions = { VRMC_vrm: { expressions: { preset: { happy: { morphTargetBinds } } } } };
  });
}

for (const [name, make, message] of REFUSED)
  test(`refused: ${name}`, () => {
    const bytes = make();
    const start = performance.now();
    assert.throws(() => readGlb(bytes), (error) => {
      assert.ok(error instanceof RangeError, String(error.stack));
      assert.match(error.message, message);
      assert.ok(error.message.length < 250 && !error.message.includes("\n"));
      return true;
    });
    assert.ok(performance.now() - start < 1000, `${performance.now() - start} ms`);
  });

test("our files and compressed ones pass, and what is not shown is left out", { skip: noCharacters }, () => {
  for (const name of ["head.glb", "head-webp.glb", "head-meshopt.glb", "head-gltfpack.glb", "head-gltfpack-c.glb"])
    readGlb(new Uint8Array(readFileSync(HEADS + name)).buffer);
  const fisherman = readGlb(content("fisherman.glb"));
  assert.equal(fisherman.json.meshes.find((mesh) => mesh.name === "face").extras.targetNames.length, 72);
  assert.equal(fisherman.version, undefined);
  const woman = readGlb(content("woman.vrm"));
  assert.equal(woman.version, "1.0");
  assert.equal(Object.keys(woman.expressions).length, 70); // 18 presets and 52 of ARKit's names: docs/avatars.md
  assert.deepEqual(woman.expressions.blinkLeft.map(({ weight }) => weight), [1]);
  assert.equal(woman.json.animations ?? woman.json.cameras ?? woman.json.extensions, undefined);
});

test("expressions of VRM 0.x have the names of 1.0 and weights in 0..1", { skip: noCharacters }, () => {
  const { version, expressions } = readGlb(content("presets-0.vrm"));
  assert.equal(version, "0.x");
  const one = readGlb(content("presets-1.vrm")).expressions;
  assert.deepEqual(Object.keys(expressions).sort(), Object.keys(one).map((name) => (name === "surprised" ? "Surprised" : name)).sort());
  // The two files are written from the same weights (docs/vrm.md), as whole per cent in 0.x.
  for (const bind of one.happy) {
    const same = expressions.happy.find(({ mesh, target }) => mesh === bind.mesh && target === bind.target);
    assert.ok(Math.abs(same.weight - bind.weight) < 0.006, JSON.stringify([same, bind]));
  }
});

const CASES = `${WEB}../../shared/cases/`;
const absent = existsSync(CASES) ? false : "needs shared/cases beside the project";

test("files of the trials pass", { skip: absent }, () => {
  const names = readdirSync(CASES).filter((name) => name.endsWith(".glb"));
  assert.equal(names.length, 5);
  for (const name of names) readGlb(new Uint8Array(readFileSync(CASES + name)).buffer);
});

test("random damage ends in a glTF or a RangeError, never in another error or a hang", () => {
  const bytes = new Uint8Array(readFileSync(`${HEADS}head.glb`));
  let seed = 1;
  const random = (most) => (seed = (seed * 48271) % 2147483647) % most;
  let passed = 0;
  for (let round = 0; round < 3000; round++) {
    const damaged = bytes.slice();
    for (let k = 0; k <= random(8); k++) damaged[random(round % 2 ? 6000 : bytes.length)] = random(256);
    try {
      readGlb(damaged.buffer);
      passed += 1;
    } catch (error) {
      assert.ok(error instanceof RangeError, error.stack);
    }
  }
  assert.ok(passed > 100 && passed < 2900, `${passed}`);
});

// Headers of pictures of 33 x 17 pixels, written by Pillow 12: progressive JPEG; WebP lossy, lossless, with EXIF.
const PILLOW = `/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAxNDQ0Hyc5PTgyPC4zNDL/\
2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjL/wgARCAARACEDASIA
  UklGRkwAAABXRUJQVlA4IEAAAABQAwCdASohABEAPm02l0ikIyIhJWgAgA2JZwB2AABYzxq0
  UklGRh4AAABXRUJQVlA4TBEAAAAvIAAEAAdQhSJXof+BiOh/
  UklGRnAAAABXRUJQVlA4WAoAAAAIAAAAIAAAEAAAVlA4IEAAAABQAwCdASohABEAPm02l0ikIyIhJWgA`
  .split(/\s+/)
  .map((text) => new Uint8Array(Buffer.from(text, "base64")));

test("sizes of pictures are those that Pillow wrote and reads", () => {
  for (const header of PILLOW) assert.deepEqual(pictureSize(header), { width: 33, height: 17 });
  for (let size = 0; size < 20; size++) assert.throws(() => pictureSize(PILLOW[0].slice(0, size)), RangeError);
  for (const name of ["head.glb", "head-webp.glb"]) {
    const { document, chunk } = chunks(readFileSync(HEADS + name));
    const { byteOffset = 0, byteLength } = document.bufferViews[document.images[0].bufferView];
    assert.deepEqual(pictureSize(new Uint8Array(chunk.subarray(byteOffset, byteOffset + byteLength))), { width: 32, height: 32 });
  }
  assert.throws(() => pictureSize(new Uint8Array([0x89, 0x50, 0x4e, 0x47])), /expected a whole picture/);
  assert.throws(() => pictureSize(new Uint8Array([0xff, 0xd8, 0xff, 0xd9, 0, 0, 0, 0])), /expected a whole picture/);
});
