// What the package publishes: modules of src in dist, their types, and the runtime of ONNX beside them.
import { execFileSync } from "node:child_process";
import { build } from "esbuild";

await build({
  entryPoints: ["src/index.ts"],
  outdir: "dist",
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  external: ["three"],
  minify: true,
});
execFileSync("node_modules/.bin/tsc", ["--emitDeclarationOnly", "--declaration"], { stdio: "inherit" });
