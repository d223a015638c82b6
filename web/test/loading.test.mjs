// What a load fetches, keeps and refuses.
import assert from "node:assert";
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { after, afterEach, before, test } from "node:test";
import { MODEL, open, skip, startPage, WEB } from "./support/browser.mjs";
import { serve } from "./support/server.mjs";

const FOLDER = skip ? "" : mkdtempSync(join(tmpdir(), "emo3d-face-"));
const MANIFEST = skip ? {} : JSON.parse(readFileSync(`${MODEL}/face.json`, "utf8"));
const entry = MANIFEST.files?.["model.onnx"];
const answers = {};
let page;

before(async () => {
  if (skip) return;
  cpSync(MODEL, FOLDER, { recursive: true });
  page = await startPage({ "/model/": MODEL, "/copy/": FOLDER }, { answers });
});
afterEach(() => {
  for (const path of Object.keys(answers)) if (path !== "/bare.js") delete answers[path];
});
after(async () => {
  await page?.stop();
  if (FOLDER) rmSync(FOLDER, { recursive: true });
});

/** Load a folder and say "she is thrilled": the smile, or the error as "name: message". */
function smile(url, options = {}) {
  return page.evaluate(
    async ([url, options]) => {
      try {
        const face = await Face.load(url, options);
        const { mouthSmileLeft } = await face.express("she is thrilled");
        face.close();
        return mouthSmileLeft;
      } catch (error) {
        return `${error.name}: ${error.message}`;
      }
    },
    [url, options],
  );
}

/** Answers with a manifest that differs from the exported one. */
function manifest(changes) {
  return (_, response) => response.end(JSON.stringify({ ...MANIFEST, ...changes }));
}

test("a first load is under 30 MB, a second one fetches nothing", { skip }, async () => {
  const progress = await page.evaluate(async () => {
    const calls = [];
    (await Face.load("/model", { onProgress: (loaded, total) => calls.push([loaded, total]) })).close();
    return calls;
  });
  const first = page.server.total();
  assert.ok(first > 20e6 && first < 30e6, `${first} bytes`);
  const [loaded, total] = progress.at(-1);
  assert.equal(loaded, total);
  assert.ok(progress.every(([bytes, all], call) => all === total && (!call || bytes > progress[call - 1][0])));
  assert.ok(total > 0.95 * first && total < first);

  const before = page.server.total();
  assert.ok((await smile("/model/")) > 0.5);
  const script = page.server.sent["/dist/worker.js"] + page.server.sent["/dist/runtime-wasm.js"];
  assert.ok(page.server.total() - before <= script, "no file of the model, no WebAssembly");
});

test("a second load works without a network", { skip }, async () => {
  assert.ok((await smile("/model/")) > 0.5);
  const { context, server } = { context: page.context(), server: page.server };
  const before = server.total();
  // Its scripts come from the browser's HTTP cache, as a host sends them (docs/web.md); here a route stands for that.
  for (const name of ["worker.js", "runtime-wasm.js"]) {
    const body = readFileSync(new URL(`../dist/${name}`, import.meta.url), "utf8");
    await context.route(`**/dist/${name}`, (route) => route.fulfill({ body, contentType: "text/javascript" }));
  }
  await context.route(/face\.json|\.onnx|tokenizer|\.bin/, (route) => route.abort("internetdisconnected"));
  try {
    assert.ok((await smile("/model/")) > 0.5);
    assert.match(await smile("/copy/"), /^Error: expected face\.json at .*, got no answer/);
  } finally {
    await context.unrouteAll();
  }
  assert.equal(server.total(), before);
});

test('"refresh" fetches what has changed, and nothing else', { skip }, async () => {
  assert.ok((await smile("/copy/")) > 0.5);
  const config = `${readFileSync(`${FOLDER}/tokenizer_config.json`, "utf8")}\n`;
  writeFileSync(`${FOLDER}/tokenizer_config.json`, config);
  const entry = { bytes: Buffer.byteLength(config), sha256: createHash("sha256").update(config).digest("hex") };
  const files = { ...MANIFEST.files, "tokenizer_config.json": entry };
  writeFileSync(`${FOLDER}/face.json`, JSON.stringify({ ...MANIFEST, files, version: "another" }));
  const version = (cache) =>
    page.evaluate(async (cache) => {
      const face = await Face.load("/copy/", { cache });
      face.close();
      return face.manifest.version;
    }, cache);
  const before = { ...page.server.sent };
  assert.equal(await version(true), MANIFEST.version);
  assert.equal(page.server.sent["/copy/face.json"], before["/copy/face.json"]);
  assert.equal(await version("refresh"), "another");
  assert.equal(page.server.sent["/copy/tokenizer_config.json"], before["/copy/tokenizer_config.json"] + entry.bytes);
  assert.equal(page.server.sent["/copy/model.onnx"], before["/copy/model.onnx"]);
});

test("without a cache everything is fetched again, and nothing kept", { skip }, async () => {
  const before = page.server.sent["/model/model.onnx"];
  assert.ok((await smile("/model/?v=2", { cache: false })) > 0.5);
  assert.equal(page.server.sent["/model/model.onnx"], before + MANIFEST.files["model.onnx"].bytes);
  const kept = await page.evaluate(async () => (await (await caches.open("emo3d-face-1")).keys()).map(({ url }) => url));
  assert.ok(kept.length > 3 && !kept.some((url) => url.includes("?v=2")));
});

test("a file that is not what the manifest says is refused in a sentence", { skip }, async () => {
  const bytes = readFileSync(`${MODEL}/tokenizer.json`);
  const changed = Buffer.from(bytes);
  changed[1000] ^= 1;
  answers["/model/tokenizer.json"] = (_, response) => response.end(changed);
  const other = await smile("/model/", { cache: false });
  assert.match(other, /^RangeError: expected tokenizer\.json of \d+ bytes with sha256 \w{64}, got \d+ bytes with \w{64}/);
  answers["/model/tokenizer.json"] = (_, response) => response.end(bytes.subarray(0, 5000));
  assert.match(await smile("/model/", { cache: false }), /^RangeError: expected tokenizer\.json of \d+ .* got 5000 bytes/);
  answers["/model/tokenizer.json"] = (_, response) => response.end(Buffer.concat([bytes, bytes]));
  assert.match(await smile("/model/", { cache: false }), /^RangeError: expected tokenizer\.json of at most \d+ bytes/);
  answers["/model/tokenizer.json"] = (_, response) => response.writeHead(404).end("none");
  assert.match(await smile("/model/", { cache: false }), /^Error: expected tokenizer\.json at http.*, got HTTP 404$/);
  answers["/model/tokenizer.json"] = (_, response) => {
    response.writeHead(200, { "content-length": bytes.length });
    response.write(bytes.subarray(0, 5000), () => response.destroy());
  };
  assert.match(await smile("/model/", { cache: false }), /^Error: expected the whole of tokenizer\.json .*its beginning/);
});

test("a folder that has changed since a visit that broke off is loaded at the second try", { skip }, async () => {
  answers["/model/face.json"] = manifest({ version: "old", files: { ...MANIFEST.files, "model.onnx": { ...entry, sha256: "0".repeat(64) } } });
  assert.match(await smile("/model/?broken"), /sha256 0{64}, .* load it again$/);
  delete answers["/model/face.json"];
  assert.ok((await smile("/model/?broken")) > 0.5);
});

test("a host that compresses everything, what is packed already too, and redirects", { skip }, async () => {
  for (const [path, file] of [["/dist/runtime-wasm.bin", `${WEB}dist/runtime-wasm.bin`], ["/model/tokenizer.json", `${MODEL}/tokenizer.json`]])
    answers[path] = (_, response) => {
      const packed = gzipSync(readFileSync(file), { level: 1 });
      response.writeHead(200, { "content-encoding": "gzip", "content-length": packed.length, "content-type": "text/plain" }).end(packed);
    };
  answers["/moved/face.json"] = (_, response) => response.writeHead(302, { location: "/model/face.json" }).end();
  for (const name of Object.keys(MANIFEST.files))
    answers[`/moved/${name}`] = (_, response) => response.writeHead(307, { location: `/model/${name}` }).end();
  assert.ok((await smile("moved", { cache: false })) > 0.5);
});

test("where the browser keeps nothing, a model is loaded all the same, and the notes say so", { skip }, async () => {
  // What storage that is full or forbidden answers, in the worker.
  const full = 'Cache.prototype.put = () => Promise.reject(new DOMException("no room", "QuotaExceededError"));';
  const forbidden = 'CacheStorage.prototype.open = () => Promise.reject(new DOMException("forbidden", "SecurityError"));';
  for (const [name, text, count] of [["full", full, 5], ["forbidden", forbidden, 6]]) { // the runtime was kept before
    answers[`/${name}/worker.js`] = (_, response) =>
      response.writeHead(200, { "content-type": "text/javascript" }).end(`import "/dist/worker.js"; ${text}`);
    const [weight, notes] = await page.evaluate(async (name) => {
      const face = await Face.load(`/model/?${name}`, { runtime: `/${name}` });
      const { mouthSmileLeft } = await face.express("she is thrilled");
      face.close();
      return [mouthSmileLeft, face.notes];
    }, name);
    assert.ok(weight > 0.5);
    assert.equal(notes.length, count);
    for (const note of notes) assert.match(note, /is not kept for the next visit: (no room|forbidden)$/);
  }
});

test("the script may come from another host, and start its workers from there", { skip }, async () => {
  const host = await serve({ "/dist/": `${WEB}dist` }, { headers: { "access-control-allow-origin": "*" } });
  const site = await serve({ "/model/": MODEL }, { pages: { "/": "<!doctype html><title>site</title>" } });
  const other = await open(page.context(), site.origin);
  try {
    const weight = await other.evaluate(async (address) => {
      const { Face } = await import(address);
      const face = await Face.load("/model", { cache: false });
      return (await face.express("she is thrilled")).mouthSmileLeft;
    }, `${host.origin}/dist/index.js`);
    assert.ok(weight > 0.5);
    assert.deepEqual(other.problems.filter((text) => !/favicon/.test(text)), []);
  } finally {
    await other.close();
    await site.close();
    await host.close();
  }
});

test("a kept file that was spoilt is fetched again", { skip }, async () => {
  assert.ok((await smile("/model/")) > 0.5);
  const before = page.server.sent["/model/tokenizer.json"];
  await page.evaluate(async () => {
    const cache = await caches.open("emo3d-face-1");
    await cache.put(new URL("/model/tokenizer.json", location.href).href, new Response("spoilt"));
  });
  assert.ok((await smile("/model/")) > 0.5);
  assert.equal(page.server.sent["/model/tokenizer.json"], before + MANIFEST.files["tokenizer.json"].bytes);
});

const MANIFESTS = [
  ["a page", (_, response) => response.end("<!doctype html>"), /got no JSON but "<!doctype html>"/],
  ["another format", manifest({ format: "emo3d-face-9" }), /got the format "emo3d-face-9" instead of "emo3d-face-1"/],
  ["a head alone", manifest({ input: "embeddings" }), /got a head alone, .* export without --head/],
  ["another order", manifest({ blendshapes: MANIFEST.blendshapes?.toReversed?.() ?? [] }), /in another order/],
  ["no entry", manifest({ files: {} }), /expected bytes and sha256 of model\.onnx in .*, got undefined/],
  ["a huge file", manifest({ files: { ...MANIFEST.files, "model.onnx": { ...entry, bytes: 5e9 } } }), /at most 400 MB/],
  ["null", (_, response) => response.end("null"), /got null/],
];
for (const [name, answer, expected] of MANIFESTS)
  test(`a manifest that is ${name} is refused`, { skip }, async () => {
    answers["/wrong/face.json"] = answer;
    const message = await smile("/wrong/", { cache: false });
    assert.match(message, /^RangeError: expected /);
    assert.match(message, expected);
  });

test("a graph that is none is refused", { skip }, async () => {
  const noise = Buffer.alloc(5000, 7);
  const entry = { bytes: noise.length, sha256: createHash("sha256").update(noise).digest("hex") };
  answers["/model/face.json"] = manifest({ files: { ...MANIFEST.files, "model.onnx": entry } });
  answers["/model/model.onnx"] = (_, response) => response.end(noise);
  assert.match(await smile("/model/", { cache: false }), /^RangeError: expected model\.onnx as a graph of ONNX, got/);
});

test("a load that was stopped can be repeated", { skip }, async () => {
  const outcome = await page.evaluate(async () => {
    const stop = new AbortController();
    const onProgress = () => stop.abort();
    try {
      await Face.load("/model/?again", { signal: stop.signal, onProgress });
      return "loaded";
    } catch (error) {
      return error.name;
    }
  });
  assert.equal(outcome, "AbortError");
  assert.ok((await smile("/model/?again")) > 0.5);
});

test("wrong options are refused in a sentence", { skip }, async () => {
  assert.match(await smile("http://"), /^RangeError: expected the URL of a folder, got "http:\/\/"$/);
  assert.match(await smile("/model/", { device: "gpu" }), /^RangeError: expected a device of "auto", "wasm" or "webgpu", /);
  assert.match(await smile("/model/", { threads: 0 }), /^RangeError: expected threads of 1 to 16, got 0$/);
  assert.match(await smile("/model/", { cache: "no" }), /^RangeError: expected a cache of true, false or "refresh", got "no"$/);
});

test("WebGPU without an adapter is refused in a sentence, and its runtime fetched by nobody else", { skip }, async () => {
  const message = await smile("/model/", { device: "webgpu" });
  assert.equal(message, 'Error: expected a browser with WebGPU and an adapter, got none: load with {device: "wasm"}');
  assert.equal(page.server.sent["/dist/runtime-webgpu.bin"], undefined);
});

test("the runtime may lie in another folder, or be missing there", { skip }, async () => {
  assert.ok((await smile("/model/", { runtime: "/dist" })) > 0.5);
  assert.match(await smile("/model/", { runtime: "/nowhere/" }), /^Error: the face's worker stopped \(its script did not/);
});

test("nothing broke the strict Content-Security-Policy", { skip }, async () => {
  assert.ok(await page.evaluate("isStrict")); // so the policy holds
  const problems = page.problems.filter((text) => !/404|ERR_|Failed to load/.test(text));
  assert.deepEqual(problems, []);
});
