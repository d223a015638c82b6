// Sources in TypeScript as modules of Node.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const WEB = fileURLToPath(new URL("../", import.meta.url));

/** The module of `src/NAME.ts` with all that it imports; of a file, whose name is all that a failure prints. */
export async function sources(name) {
  const folder = mkdtempSync(join(tmpdir(), "emo3d-source-"));
  const outfile = join(folder, "module.mjs");
  try {
    await build({
      entryPoints: [`${WEB}src/${name}.ts`],
      absWorkingDir: WEB,
      outfile,
      bundle: true,
      format: "esm",
      platform: "node",
      target: "es2022",
    });
    return await import(pathToFileURL(outfile));
  } finally {
    rmSync(folder, { recursive: true });
  }
}
