// What the browser answers: `node bench/predict.mjs IN OUT [FOLDER]`, after a build.
//
// IN is a JSON list of descriptions, or of {"description", "strength"}; OUT becomes a JSON list of {"description",
// "strength", "weights"}. FOLDER is an exported model, web/.model by default.
import { readFileSync, writeFileSync } from "node:fs";
import { MODEL, startPage } from "../test/support/browser.mjs";

const [input, output, folder = MODEL] = process.argv.slice(2);
if (!input || !output) throw new Error("expected: node bench/predict.mjs IN OUT [FOLDER]");
const rows = JSON.parse(readFileSync(input, "utf8")).map((row) =>
  typeof row === "string" ? { description: row, strength: 1 } : { strength: 1, ...row },
);
const page = await startPage({ "/model/": folder });
try {
  const weights = await page.evaluate(async (rows) => {
    const face = await Face.load("/model/", { cache: false });
    return Promise.all(rows.map(({ description, strength }) => face.express(description, { strength })));
  }, rows);
  const predictions = rows.map(({ description, strength }, row) => ({ description, strength, weights: weights[row] }));
  writeFileSync(output, `${JSON.stringify(predictions)}\n`);
} finally {
  await page.stop();
}
