// What is published: everything that a page needs, and nothing that it must not have.
import assert from "node:assert";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { WEB } from "./support/browser.mjs";

const scripts = readdirSync(`${WEB}dist`).filter((name) => name.endsWith(".js"));
const about = JSON.parse(readFileSync(`${WEB}package.json`, "utf8"));
const text = (name) => readFileSync(`${WEB}dist/${name}`, "utf8");

test("the package is dist, a card and a licence, and all that it exports is there", () => {
  const [{ files, size }] = JSON.parse(execFileSync("npm", ["pack", "--dry-run", "--json"], { cwd: WEB, stdio: "pipe" }));
  const names = files.map(({ path }) => path);
  for (const target of Object.values(about.exports)) {
    assert.ok(names.includes(target.default.slice(2)), target.default);
    assert.ok(names.includes(target.types.slice(2)), target.types);
  }
  assert.deepEqual(names.filter((name) => !name.startsWith("dist/")), ["README.md", "package.json"]);
  assert.ok(names.includes("dist/LICENSE") && names.includes("dist/third-party.txt"));
  assert.ok(size < 12e6, `${size} bytes`);
});

test("no script makes code of text, but the runtime of WebGPU", () => {
  const evaluating = scripts.filter((name) => /\beval\(|new Function\b|(?<![\w.])Function\(/.test(text(name)));
  assert.deepEqual(evaluating, ["runtime-webgpu.js"]);
});

test("workers start by what bundlers look for, with options that they can read", () => {
  // Vite refuses to build what has others: "unable to parse the worker options as the value is not static".
  for (const [name, worker] of [["index", "worker"], ["index", "worker-webgpu"], ["character", "glb.worker"]])
    assert.ok(text(`${name}.js`).includes(`new Worker(new URL("./${worker}.js",import.meta.url),{type:"module"})`), worker);
});

test("no script names a host that it would ask", () => {
  for (const name of scripts) {
    const hosts = [...text(name).matchAll(/https?:\/\/([\w.-]+)/g)].map(([, host]) => host);
    // A namespace of XML, and a page that an error message of the runtime mentions.
    assert.deepEqual(hosts.filter((host) => !["www.w3.org", "web.dev"].includes(host)), [], name);
  }
});

test("who wants weights only gets no three.js, and no runtime before a load", () => {
  const loaded = (name) => {
    const imports = [...text(name).matchAll(/(?:from|import)\s*"\.\/([\w.-]+)"/g)].map(([, file]) => file);
    return [name, ...imports.flatMap(loaded)];
  };
  const own = loaded("index.js");
  assert.ok(own.reduce((bytes, name) => bytes + text(name).length, 0) < 40_000);
  for (const name of own) assert.doesNotMatch(text(name), /from\s*"three|WebGLRenderer|InferenceSession/);
});

test("a licence of each bundled package", () => {
  const notices = text("third-party.txt");
  for (const name of [...Object.keys(about.dependencies), "three"])
    assert.match(notices, new RegExp(`^${name} [\\d.]+ \\((MIT|Apache-2\\.0)\\)$`, "m"));
});

test("types hold in a program of others", () => {
  const folder = mkdtempSync(join(tmpdir(), "emo3d-types-"));
  try {
    mkdirSync(`${folder}/node_modules/@emo3d`, { recursive: true });
    symlinkSync(WEB, `${folder}/node_modules/@emo3d/face`);
    const program = (type) => `import { Face, type Weights } from "@emo3d/face";
      import { three } from "@emo3d/face/adapters";
      import { type Character, loadCharacter } from "@emo3d/face/character";
      import { FaceElement } from "@emo3d/face/element";
      import { vmc } from "@emo3d/face/senders";
      export const others: [Uint8Array, Promise<Character>] = [vmc({ jawOpen: 1 }), loadCharacter("a.glb")];
      export const show = (element: FaceElement): void => three({ traverse: () => {} })(element.weights);
      export async function smile(face: Face): Promise<${type}> {
        const weights: Weights = await face.express("she is thrilled", { strength: 0.5 });
        return weights.mouthSmileLeft;
      }`;
    writeFileSync(`${folder}/right.ts`, program("number"));
    writeFileSync(`${folder}/wrong.ts`, program("string"));
    const options = "--ignoreConfig --noEmit --strict --target es2022 --module esnext --moduleResolution bundler";
    const check = (name) =>
      execFileSync(`${WEB}node_modules/.bin/tsc`, [...options.split(" "), "--lib", "es2022,dom", "--types", "", name], {
        cwd: folder,
        stdio: "pipe",
      });
    check("right.ts");
    assert.throws(() => check("wrong.ts"), ({ stdout }) => /TS2322/.test(stdout));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the lock names no host", () => {
  assert.ok(existsSync(`${WEB}package-lock.json`));
  assert.doesNotMatch(readFileSync(`${WEB}package-lock.json`, "utf8"), /"resolved"/);
});
