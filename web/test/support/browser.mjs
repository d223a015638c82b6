// Debian's Chromium without a window, as the Python tests start it.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const WEB = fileURLToPath(new URL("../../", import.meta.url));
export const MODEL = process.env.EMO3D_WEB_MODEL ?? `${WEB}.model`;
export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

const FLAGS = `--no-sandbox --disable-gpu --use-angle=swiftshader --enable-unsafe-swiftshader
  --disable-background-networking --disable-component-update --disable-sync --no-first-run`.split(/\s+/);

/** Why tests of a page cannot run here, or false. */
export const skip =
  (!existsSync(CHROMIUM) && `no ${CHROMIUM}`) || (!existsSync(`${MODEL}/face.json`) && "no model: make web/.model");

/** Start Chromium; `flags` are added. */
export function launch(flags = []) {
  return chromium.launch({ executablePath: CHROMIUM, args: [...FLAGS, ...flags] });
}

/** A page at `path` whose errors and refusals by CSP are collected in `page.problems`. */
export async function open(context, url) {
  const page = await context.newPage();
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(error.message));
  page.on("console", (message) => message.type() === "error" && page.problems.push(message.text()));
  page.setDefaultTimeout(60_000);
  await page.goto(url);
  return page;
}

/** A page that has `Face` and what else index.js exports. */
export const BARE = `<!doctype html><meta charset="utf-8"><title>face</title><script type="module" src="/bare.js"></script>`;
export const BARE_SCRIPT = `import * as emo3d from "/dist/index.js"; Object.assign(globalThis, emo3d); globalThis.ready = true;`;
