// Sources in TypeScript as modules of Node.
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const WEB = fileURLToPath(new URL("../", import.meta.url));

/** The module of `src/NAME.ts` with all that it imports. */
export async function sources(name) {
  const { outputFiles } = await build({
    entryPoints: [`${WEB}src/${name}.ts`],
    absWorkingDir: WEB,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "es2022",
    write: false,
  });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
}
