// Times of one sentence, in Chromium and in Python: `taskset -c 0 node bench/time.mjs [ROUNDS]`, after a build.
//
// 100 descriptions of web/.golden, one after the other, in rounds that alternate so that both meet the same machine; the
// row of each is its round with the lowest median. "waited" is what a page or a program waits for an answer, "computed"
// the time of a processor that its process took, which other programs on a busy machine hardly change; "load" is from
// Face.load on, with all files in the browser's cache after the first round. A browser optimises the runtime while it
// runs, so what is asked at once takes longer; "later" is what is asked after 10 seconds.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
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
waited, computed = [], []
for text in texts:
    start, processor = time.perf_counter(), time.process_time()
    generator.generate([text])
    waited.append(1000 * (time.perf_counter() - start))
    computed.append(1000 * (time.process_time() - processor))
print(json.dumps({"waited": waited, "computed": computed}))
`;

function python(kind, folder) {
  const env = { ...process.env, OMP_NUM_THREADS: "1" };
  return JSON.parse(execFileSync(PYTHON, ["-c", SCRIPT, JSON.stringify(texts), kind, folder], { env }));
}

async function chromium(page, { folder, pause = 0, ...options }) {
  const load = await page.evaluate(
    async ([folder, options]) => {
      const started = performance.now();
      globalThis.face = await Face.load(folder, { onNote: () => {}, ...options });
      const load = performance.now() - started;
      await face.express("calm");
      return load;
    },
    [folder, options],
  );
  await new Promise((resolve) => setTimeout(resolve, pause));
  const [waited, computed] = [[], []];
  for (const text of texts) {
    const before = processorTime();
    waited.push(
      await page.evaluate(async (text) => {
        const start = performance.now();
        await face.express(text);
        return performance.now() - start;
      }, text),
    );
    computed.push(processorTime() - before);
  }
  await page.evaluate("face.close()");
  return { waited, computed, load };
}

/** Milliseconds that the threads of this Chromium's renderers have computed (Linux). */
function processorTime() {
  return renderers.reduce((sum, name) => sum + timeOf(`/proc/${name}/task`), 0) / 1e6;
}

function isOwnRenderer(name) {
  if (!/^\d+$/.test(name) || !readFileSync(`/proc/${name}/cmdline`, "latin1").includes("--type=renderer")) return false;
  let parent = name;
  while (Number(parent) > 1 && Number(parent) !== process.pid)
    parent = readFileSync(`/proc/${parent}/stat`, "latin1").split(") ").at(-1).split(" ")[1];
  return Number(parent) === process.pid;
}

function timeOf(folder) {
  const threads = readdirSync(folder);
  return threads.reduce((sum, name) => sum + Number(readFileSync(`${folder}/${name}/schedstat`, "utf8").split(" ")[0]), 0);
}

function row(name, rounds) {
  const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
  const [best] = [...rounds].sort((a, b) => median(a.computed) - median(b.computed));
  const cells = [best.waited, best.computed].flatMap((values) => {
    const sorted = [...values].sort((a, b) => a - b);
    return [sorted[50], sorted[95]].map((time) => time.toFixed(1).padStart(12));
  });
  const load = Math.min(...rounds.map((round) => round.load ?? Infinity));
  return `| ${name.padEnd(30)} | ${cells.join(" | ")} | ${load < Infinity ? (load / 1000).toFixed(1).padStart(6) : "      "} |`;
}

const page = await startPage({ "/int8/": MODEL, "/float32/": FLOATS });
const renderers = readdirSync("/proc").filter((name) => {
  try {
    return isOwnRenderer(name);
  } catch {
    return false; // a process that has ended meanwhile
  }
});
if (!renderers.length) throw new Error("expected Linux, which says in /proc how long a process has computed");
const measures = {
  "Chromium, int8, at once": () => chromium(page, { folder: "/int8/", threads: 1 }),
  "Chromium, int8, later": () => chromium(page, { folder: "/int8/", threads: 1, pause: 10_000 }),
  "Chromium, float32, later": () => chromium(page, { folder: "/float32/", threads: 1, pause: 10_000 }),
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
console.log("| ms per sentence                |   waited p50 |          p95 | computed p50 |          p95 | load s |");
console.log("| ------------------------------ | -----------: | -----------: | -----------: | -----------: | -----: |");
for (const [name, results] of Object.entries(rounds)) console.log(row(name, results));
