// Times of one sentence, in Chromium and in Python: `taskset -c 0 node bench/time.mjs [ROUNDS]`, after a build.
//
// 100 descriptions of web/.golden, one after the other, in rounds that alternate so that both meet the same machine; the
// row of each is its round with the lowest median. "page" is the time that a page waits, "load" from Face.load on.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { MODEL, startPage, WEB } from "../test/support/browser.mjs";

const ROUNDS = Number(process.argv[2] ?? 3);
const PYTHON = process.env.PYTHON ?? `${WEB}../.venv/bin/python`;
const FLOATS = `${WEB}.golden/float32`;
const texts = JSON.parse(readFileSync(`${WEB}.golden/golden.json`, "utf8")).texts.slice(0, 100);

const SCRIPT = `
import json, logging, sys, time
logging.disable(logging.WARNING)
texts, kind, folder = json.loads(sys.argv[1]), sys.argv[2], sys.argv[3]
if kind == "torch":
    import torch
    torch.set_num_threads(1)
    from emo3d.generation import load_generator
    generator = load_generator("quickstart")
else:
    from emo3d_lab.onnx import OnnxGenerator
    generator = OnnxGenerator(folder, threads=1)
generator.generate(texts[:1])
times = []
for text in texts:
    start = time.perf_counter()
    generator.generate([text])
    times.append(1000 * (time.perf_counter() - start))
print(json.dumps({"times": times}))
`;

function python(kind, folder) {
  const env = { ...process.env, OMP_NUM_THREADS: "1" };
  return JSON.parse(execFileSync(PYTHON, ["-c", SCRIPT, JSON.stringify(texts), kind, folder], { env }));
}

function chromium(page, options) {
  return page.evaluate(
    async ([texts, { folder, ...options }]) => {
      const started = performance.now();
      const face = await Face.load(folder, { onNote: () => {}, ...options });
      const load = performance.now() - started;
      await face.express(texts[0]);
      const times = [];
      for (const text of texts) {
        const start = performance.now();
        await face.express(text);
        times.push(performance.now() - start);
      }
      face.close();
      return { times, load };
    },
    [texts, options],
  );
}

function row(name, rounds) {
  const sorted = rounds.map(({ times, load }) => ({ times: [...times].sort((a, b) => a - b), load }));
  const [{ times }] = sorted.sort((a, b) => a.times[50] - b.times[50]);
  const load = Math.min(...sorted.map((round) => round.load ?? Infinity));
  const cells = [times[0], times[50], times[95]].map((time) => time.toFixed(1).padStart(6));
  return `| ${name.padEnd(34)} | ${cells.join(" | ")} | ${load < Infinity ? (load / 1000).toFixed(1).padStart(5) : "     "} |`;
}

const page = await startPage({ "/int8/": MODEL, "/float32/": FLOATS });
const measures = {
  "Chromium, WASM, int8": () => chromium(page, { folder: "/int8/", threads: 1 }),
  "Chromium, WASM, float32": () => chromium(page, { folder: "/float32/", threads: 1 }),
  "Python, onnxruntime, int8": () => python("onnx", MODEL),
  "Python, onnxruntime, float32": () => python("onnx", FLOATS),
  "Python, PyTorch": () => python("torch", MODEL),
};
if (!existsSync(FLOATS)) throw new Error("expected what test/golden.py writes in web/.golden: make web");
const rounds = Object.fromEntries(Object.keys(measures).map((name) => [name, []]));
try {
  for (let round = 0; round < ROUNDS; round++)
    for (const [name, measure] of Object.entries(measures)) rounds[name].push(await measure());
} finally {
  await page.stop();
}
console.log(`| ms per sentence                    |  least |    p50 |    p95 | load s |`);
console.log(`| ---------------------------------- | -----: | -----: | -----: | -----: |`);
for (const [name, results] of Object.entries(rounds)) console.log(row(name, results));
