// Debian's Chromium without a window, as the Python tests start it, and a page that has `Face`.
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { serve, STRICT } from "./server.mjs";

export const WEB = fileURLToPath(new URL("../../", import.meta.url));
export const MODEL = process.env.EMO3D_WEB_MODEL ?? `${WEB}.model`;
export const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

const FLAGS = `--no-sandbox --disable-gpu --use-angle=swiftshader --enable-unsafe-swiftshader
  --disable-background-networking --disable-component-update --disable-sync --no-first-run`.split(/\s+/);
const BARE = `<!doctype html><meta charset="utf-8"><title>face</title><script type="module" src="/bare.js"></script>`;
const SCRIPT = `
import * as emo3d from "/dist/index.js";
Object.assign(globalThis, emo3d);
try { new Function(""); globalThis.isStrict = false; } catch { globalThis.isStrict = true; }
globalThis.isReady = true;`;

/** Why tests of a page cannot run here, or false. */
export const skip =
  (!existsSync(CHROMIUM) && `no ${CHROMIUM}`) || (!existsSync(`${MODEL}/face.json`) && "no model: make web/.model");

/** Start Chromium; `flags` are added. */
export function launch(flags = []) {
  return chromium.launch({ executablePath: CHROMIUM, args: [...FLAGS, ...flags] });
}

/** A page at `url` whose errors and refusals by CSP are collected in `page.problems`. */
export async function open(context, url) {
  const page = await context.newPage();
  page.problems = [];
  page.on("pageerror", (error) => page.problems.push(error.message));
  page.on("console", (message) => message.type() === "error" && page.problems.push(message.text()));
  page.setDefaultTimeout(60_000);
  await page.goto(url);
  return page;
}

/** Serve dist and folders to a page under a strict CSP that has what index.js exports: `page.server`, `page.stop()`. */
export async function startPage(folders = { "/model/": MODEL }, { headers = {}, answers = {}, flags } = {}) {
  answers["/bare.js"] = (_, response) => response.writeHead(200, { "content-type": "text/javascript" }).end(SCRIPT);
  const server = await serve(
    { "/dist/": `${WEB}dist`, ...folders },
    {
      headers: { "content-security-policy": STRICT, ...headers },
      pages: { "/": BARE },
      answers, // tests may change these later
    },
  );
  const browser = await launch(flags);
  const page = await open(await browser.newContext(), server.origin);
  await page.waitForFunction("globalThis.isReady");
  page.server = server;
  page.stop = async () => {
    await browser.close();
    await server.close();
  };
  return page;
}
