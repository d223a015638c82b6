// What the package publishes in dist: modules of src, their types, the two runtimes of ONNX, packed, and licences.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const RUNTIME = "node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded";
const PARTS = ["index", "adapters", "senders", "character"];

rmSync("dist", { recursive: true, force: true });
mkdirSync("dist");
const entries = {
  WASM_ENTRY: packRuntime("wasm", RUNTIME),
  WEBGPU_ENTRY: packRuntime("webgpu", `${RUNTIME}.asyncify`),
};

const inputs = new Set();
await bundle(PARTS, { splitting: true, external: ["three", "three/*"] });
// The element brings three.js along; what is not needed before it is seen is a file of its own.
await bundle(["element"], { splitting: true });
await bundle(["glb.worker", "gif.worker"]);
await bundle(["worker", "worker-webgpu"], {
  conditions: ["onnxruntime-web-use-extern-wasm"], // the runtime's script stays a file: its threads start from it
  define: Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name, JSON.stringify(entry)])),
});
execFileSync("node_modules/.bin/tsc", ["--emitDeclarationOnly", "--declaration"], { stdio: "inherit" });
writeNotices();

async function bundle(names, options = {}) {
  const { metafile } = await build({
    entryPoints: names.map((name) => `src/${name}.ts`),
    outdir: "dist",
    bundle: true,
    format: "esm",
    target: "es2022",
    minify: true,
    legalComments: "none", // all of them are in third-party.txt
    logLevel: "warning",
    metafile: true,
    ...options,
  });
  for (const input of Object.keys(metafile.inputs)) inputs.add(input);
}

/** Put a runtime into dist, its WebAssembly by gzip; the ending is none that servers unpack on their own. */
function packRuntime(name, source) {
  const bytes = gzipSync(readFileSync(`${source}.wasm`), { level: 9 });
  writeFileSync(`dist/runtime-${name}.bin`, bytes);
  copyFileSync(`${source}.mjs`, `dist/runtime-${name}.js`);
  return { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** Licences of the packages of which something is in dist. */
function writeNotices() {
  const folders = new Set([...inputs].map((input) => input.match(/node_modules\/(?:@[^/]+\/)?[^/]+/)?.[0]));
  const notices = [...folders].filter(Boolean).sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
    const own = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
    const file = own ? `${folder}/${own}` : `notices/${name.replace(/-(web|common)$/, "")}.txt`;
    if (!existsSync(file)) throw new Error(`expected the licence of ${name}, ${license}, in ${file}`);
    return `${name} ${version} (${license})\n\n${readFileSync(file, "utf8").trim()}\n`;
  });
  writeFileSync("dist/third-party.txt", notices.join(`\n${"-".repeat(80)}\n\n`));
  copyFileSync("../LICENSE", "dist/LICENSE");
}
