// What the package publishes in dist: modules of src, their types, and the two runtimes of ONNX, packed.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const RUNTIME = "node_modules/onnxruntime-web/dist/ort-wasm-simd-threaded";

rmSync("dist", { recursive: true, force: true });
mkdirSync("dist");
const entries = {
  WASM_ENTRY: packRuntime("wasm", RUNTIME),
  WEBGPU_ENTRY: packRuntime("webgpu", `${RUNTIME}.asyncify`),
};

const options = { outdir: "dist", bundle: true, format: "esm", target: "es2022", minify: true, logLevel: "warning" };
await build({
  ...options,
  entryPoints: ["index", "adapters", "senders", "character"].map((name) => `src/${name}.ts`).filter(existsSync),
  splitting: true,
  external: ["three", "three/*"],
});
// The element brings three.js along; what is not needed before it is seen is a file of its own.
await build({ ...options, entryPoints: ["src/element.ts"].filter(existsSync), splitting: true });
await build({ ...options, entryPoints: ["src/glb.worker.ts", "src/gif.worker.ts"].filter(existsSync) });
await build({
  ...options,
  entryPoints: ["src/worker.ts", "src/worker-webgpu.ts"],
  conditions: ["onnxruntime-web-use-extern-wasm"], // the runtime's script stays a file: its threads start from it
  define: Object.fromEntries(Object.entries(entries).map(([name, entry]) => [name, JSON.stringify(entry)])),
});
execFileSync("node_modules/.bin/tsc", ["--emitDeclarationOnly", "--declaration"], { stdio: "inherit" });

/** Put a runtime into dist, its WebAssembly by gzip; the ending is none that servers unpack on their own. */
function packRuntime(name, source) {
  const bytes = gzipSync(readFileSync(`${source}.wasm`), { level: 9 });
  writeFileSync(`dist/runtime-${name}.bin`, bytes);
  writeFileSync(`dist/runtime-${name}.js`, readFileSync(`${source}.mjs`));
  return { bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}
