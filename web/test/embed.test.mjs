// The snippet of docs/embed.md as it stands there: below a path, in a frame, under the policy that the page names.
import assert from "node:assert";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { launch, MODEL, open, skip as noModel, WEB } from "./support/browser.mjs";
import { serve } from "./support/server.mjs";

const skip = noModel || (!existsSync(`${WEB}dist/element.js`) && "not built: npm run build");
const DOCS = readFileSync(`${WEB}../docs/embed.md`, "utf8");
const [, SNIPPET] = DOCS.match(/^```html\n([^]*?)^```/m);
const [, POLICY] = DOCS.match(/A strict policy is enough: `(.*?)`/);

test("the snippet of docs/embed.md shows a face below a path, in a frame", { skip }, async () => {
  const server = await serve(
    { "/site/face/": `${WEB}dist`, "/site/model/": MODEL },
    {
      headers: { "content-security-policy": `${POLICY}; frame-src 'self'` },
      pages: { "/site/": `<!doctype html><html lang="en"><meta charset="utf-8"><title>a</title>${SNIPPET}`,
        "/": `<!doctype html><html lang="en"><meta charset="utf-8"><title>b</title><iframe src="/site/"></iframe>` },
    },
  );
  const browser = await launch();
  try {
    const page = await open(await browser.newContext(), server.origin);
    const frame = page.frames().find((frame) => frame.url().endsWith("/site/"));
    await frame.waitForFunction(() => document.querySelector("emo3d-face").weights?.mouthSmileLeft > 0.5);
    assert.deepEqual(page.problems, []);
  } finally {
    await browser.close();
    await server.close();
  }
});
