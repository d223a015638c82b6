// Weights in the browser are those of Python, which test/golden.py wrote.
import assert from "node:assert";
import { existsSync, readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { sources } from "./bundle.mjs";
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
  const difference = largestDifference(rows, golden.int8);
  assert.ok(difference < 1e-3, `${difference}`);
});

test("float32 answers as PyTorch does, to 1e-3", { skip: reason }, async () => {
  const rows = await predictions("float32");
  for (const others of [golden.torch, golden.float32]) {
    const difference = largestDifference(rows, others);
    assert.ok(difference < 1e-3, `${difference}`);
  }
});

test("tokens are those of Python, and so is what the encoder hardly knows", { skip: reason }, async () => {
  const { TextTokenizer } = await sources("tokens");
  const { isForeign } = await sources("descriptions");
  const [settings, config] = ["tokenizer.json", "tokenizer_config.json"].map((name) =>
    JSON.parse(readFileSync(`${MODEL}/${name}`, "utf8")),
  );
  const tokenizer = new TextTokenizer(settings, config, 512);
  assert.ok(golden.odd.length > 10 && golden.odd.some(({ ids }) => ids.length > 512));
  for (const { text, ids, foreign } of golden.odd) {
    const { ids: cut, whole } = tokenizer.encode(text);
    assert.deepEqual(whole, ids, text.slice(0, 80));
    assert.deepEqual(cut, ids.length > 512 ? [...ids.slice(0, 511), ids.at(-1)] : ids);
    assert.equal(isForeign(text, whole, tokenizer), foreign, text.slice(0, 80));
  }
});
