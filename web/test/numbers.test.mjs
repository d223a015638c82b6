// Weights in the browser are those of Python, which test/golden.py wrote.
import assert from "node:assert";
import { existsSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { MODEL, skip, startPage, WEB } from "./support/browser.mjs";

const GOLDEN = `${WEB}.golden`;
const reason = skip || (!existsSync(`${GOLDEN}/golden.json`) && "no predictions of Python: make web");
const golden = reason ? undefined : JSON.parse(readFileSync(`${GOLDEN}/golden.json`, "utf8"));
let page;

before(async () => {
  if (!reason) page = await startPage({ "/int8/": MODEL, "/float32/": `${GOLDEN}/float32` });
});
after(() => page?.stop());

function largestDifference(rows, others) {
  return Math.max(...rows.flatMap((row, place) => row.slice(0, 51).map((x, i) => Math.abs(x - others[place][i]))));
}

async function predictions(precision) {
  return page.evaluate(
    async ([precision, texts, strengths]) => {
      const face = await Face.load(`/${precision}/`, { onNote: () => {} });
      const rows = await Promise.all(texts.map((text, row) => face.express(text, { strength: strengths[row] })));
      face.close();
      return rows.map((weights) => TARGETS.map((name) => weights[name]));
    },
    [precision, golden.texts, golden.strengths],
  );
}

test("int8 answers as onnxruntime of Python does, to 1e-3", { skip: reason }, async () => {
  const rows = await predictions("int8");
  assert.equal(rows.length, 200);
  assert.ok(rows.every((row) => row.length === 52 && row[51] === 0));
  const difference = largestDifference(rows, golden.onnx.int8);
  assert.ok(difference < 1e-3, `${difference}`);
});

test("float32 answers as PyTorch does, to 1e-3", { skip: reason }, async () => {
  const rows = await predictions("float32");
  for (const others of [golden.torch, golden.onnx.float32]) {
    const difference = largestDifference(rows, others);
    assert.ok(difference < 1e-3, `${difference}`);
  }
});
