import { writeFileSync } from "node:fs";
import { launch, open, WEB, MODEL } from "./support/browser.mjs";
import { serve, STRICT } from "./support/server.mjs";
const page0 = `<!doctype html><meta charset="utf-8"><title>t</title><script type="module" src="/dist/element.js"></script>` + process.argv.slice(2).map((c) => `<emo3d-face id="${c.replace(/\W/g,'')}" character="/characters/${c}" model="/model/" text="she is thrilled"></emo3d-face>`).join("");
const server = await serve({ "/dist/": `${WEB}dist`, "/model/": MODEL, "/characters/": `${WEB}.characters` }, { headers: { "content-security-policy": STRICT }, pages: { "/": page0 } });
const browser = await launch();
const page = await open(browser, server.origin + "/");
const t = Date.now();
await page.waitForFunction(() => [...document.querySelectorAll("emo3d-face")].every((e) => e.stage && Object.values(e.weights).some((w) => w > 0.1)) || document.querySelector("emo3d-face").shadowRoot.querySelector("p").textContent, null, { timeout: 90000 });
console.log(Date.now() - t, "ms", page.problems);
await page.waitForTimeout(3000);
await page.screenshot({ path: `${WEB}.pictures/element.png` });
for (const c of process.argv.slice(2)) {
  const id = c.replace(/\W/g, "");
  const out = await page.evaluate(async (id) => { const e = document.getElementById(id); const b = await e.picture(384); return [await b.arrayBuffer().then((x) => Array.from(new Uint8Array(x))), e.notes, e.shadowRoot.querySelector("p").textContent]; }, id);
  writeFileSync(`${WEB}.pictures/${id}.png`, Buffer.from(out[0])); console.log(c, out[1], out[2]);
}
console.log(page.problems);
await browser.close(); await server.close();
