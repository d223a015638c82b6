// The Space as a folder that any static server serves: `node web_space/build.mjs [OUT]`, by default web_space/dist.
// It needs what `npm ci` in web/ and `make web/.model` make.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const HOME = dirname(fileURLToPath(import.meta.url));
const WEB = join(HOME, "..", "web");
const MODEL = join(WEB, ".model");
const OUT = resolve(process.argv[2] ?? join(HOME, "dist"));
const PAGE = ["README.md", "index.html", "style.css", "icon.svg", "manifest.webmanifest"];
// What page.js starts, beside it.
const PARTS = ["worker.js", "runtime-wasm.js", "runtime-wasm.bin", "glb.worker.js", "gif.worker.js"];
const SHELL = /^(index\.html|[\w.-]+\.(js|css|svg|webmanifest)|model\/head\.glb)$/; // kept at once; the model is when it comes

for (const file of ["face.json", "model.onnx", "tokenizer.json", "tokenizer_config.json", "head.glb"]) {
  if (!existsSync(join(MODEL, file))) {
    console.error(`error: expected ${file} in web/.model, found none: run \`make web/.model\` first`);
    process.exit(2);
  }
}
const manifest = JSON.parse(readFileSync(join(MODEL, "face.json"), "utf-8"));
const require = createRequire(join(WEB, "package.json"));
const { build } = require("esbuild");

rmSync(OUT, { recursive: true, force: true });
mkdirSync(join(OUT, "model"), { recursive: true });
for (const file of PAGE) cpSync(join(HOME, file), join(OUT, file));
for (const [file, { sha256 }] of Object.entries(manifest.files)) {
  const bytes = readFileSync(join(MODEL, file));
  if (hash(bytes) !== sha256) throw new Error(`web/.model/${file} is not what face.json says: make the folder again`);
  writeFileSync(join(OUT, "model", file), bytes);
}
cpSync(join(MODEL, "face.json"), join(OUT, "model", "face.json"));

if (isStale()) execFileSync(process.execPath, ["build.mjs"], { cwd: WEB, stdio: "inherit" });
for (const file of PARTS) cpSync(join(WEB, "dist", file), join(OUT, file));

const options = {
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  logLevel: "warning",
  nodePaths: [join(WEB, "node_modules")],
};
await build({ ...options, entryPoints: [join(HOME, "src", "page.ts")], outdir: OUT });
const files = Object.fromEntries(listed(OUT).map((path) => [path, hash(readFileSync(join(OUT, path)))]));
delete files["README.md"];
await build({
  ...options,
  entryPoints: [join(HOME, "src", "sw.ts")],
  outdir: OUT,
  format: "iife",
  define: { FILES: JSON.stringify(files), SHELL: JSON.stringify(Object.keys(files).filter(isShell)) },
});

/** Whether the package is older than its sources. */
function isStale() {
  const built = join(WEB, "dist", "worker.js");
  const sources = readdirSync(join(WEB, "src"), { recursive: true }).map((name) => join(WEB, "src", name));
  return !existsSync(built) || sources.some((name) => statSync(name).mtimeMs > statSync(built).mtimeMs);
}

function isShell(path) {
  return SHELL.test(path);
}

function listed(folder) {
  const names = readdirSync(folder, { recursive: true }).map((name) => join(folder, name));
  const paths = names.filter((name) => statSync(name).isFile());
  return paths.map((path) => relative(OUT, path).replaceAll("\\", "/")).sort();
}

function hash(bytes) {
  return createHash("sha256").update(bytes).digest("hex");
}
