// What a loaded face answers, in which order, and how it ends.
import assert from "node:assert";
import { after, before, test } from "node:test";
import { ISOLATED } from "./support/server.mjs";
import { MODEL, skip, startPage } from "./support/browser.mjs";

const DYING = `
onmessage = ({ data }) => {
  if (data.kind !== "load") throw new Error("out of memory");
  postMessage({ kind: "value", id: data.id, value: { manifest: { takesStrength: true }, notes: [], threads: 1 } });
};`;
const script = (text) => (_, response) => response.writeHead(200, { "content-type": "text/javascript" }).end(text);
let page;

before(async () => {
  if (skip) return;
  const answers = { "/dying/worker.js": script(DYING) };
  page = await startPage({ "/model/": MODEL }, { answers, headers: ISOLATED });
  await page.evaluate(async () => {
    globalThis.notes = [];
    globalThis.face = await Face.load("/model/", { onNote: (note) => globalThis.notes.push(note) });
    globalThis.failure = (promise) => promise.then(String, (error) => `${error.name}: ${error.message}`);
  });
});
after(() => page?.stop());

test("52 weights by name in 0..1, those of a smile for who is thrilled", { skip }, async () => {
  const [weights, targets] = await page.evaluate(async () => [await face.express("she is thrilled"), TARGETS]);
  assert.deepEqual(Object.keys(weights), targets);
  assert.ok(Object.values(weights).every((weight) => weight >= 0 && weight <= 1));
  assert.ok(weights.mouthSmileLeft > 0.5 && weights.mouthFrownLeft < 0.2 && weights.tongueOut === 0);
  assert.ok(weights.mouthClose <= weights.jawOpen);
});

test("strength moves the face, and other strengths are refused", { skip }, async () => {
  const sizes = await page.evaluate(async () => {
    const size = async (strength) =>
      Object.values(await face.express("she is thrilled", { strength })).reduce((sum, weight) => sum + weight ** 2, 0);
    return [await size(0), await size(0.5), await size(1), await size(1.5)];
  });
  assert.ok(sizes[0] < 0.2 * sizes[2], `${sizes}`);
  assert.deepEqual(sizes, sizes.toSorted ? sizes.toSorted((a, b) => a - b) : [...sizes].sort((a, b) => a - b));
  for (const strength of [-0.1, 1.6, NaN, "1", null]) {
    const message = await page.evaluate((strength) => failure(face.express("calm", { strength })), strength);
    assert.match(message, /^RangeError: expected a strength of 0 to 1\.5, got /);
  }
});

const REFUSED = [
  ["", /expected a description, got "", which is blank/],
  [" \n\t ", /which is blank/],
  ["\x1c\x85", /which is blank/], // spaces of Python's, but none of JavaScript's trim
  [undefined, /expected a description as a string, got undefined/],
  [42, /expected a description as a string, got number/],
  ["x".repeat(2001), /at most 2000 characters, got 2001: act it in parts/],
  ["half \ud83d a pair", /in Unicode, got half a surrogate pair/],
];
for (const [text, expected] of REFUSED)
  test(`${JSON.stringify(text)?.slice(0, 30)} is refused by express and interpret`, { skip }, async () => {
    // As characters, since JSON cannot carry half a pair.
    const codes = typeof text === "string" ? Array.from(text, (_, place) => text.charCodeAt(place)) : text;
    const messages = await page.evaluate((codes) => {
      const text = Array.isArray(codes) ? codes.map((code) => String.fromCharCode(code)).join("") : codes;
      return Promise.all([failure(face.express(text)), failure(face.interpret(text))]);
    }, codes);
    for (const message of messages) assert.match(message, new RegExp(`^RangeError: .*${expected.source}`));
  });

test("what JavaScript alone calls a space is a description", { skip }, async () => {
  assert.equal(await page.evaluate(() => failure(face.interpret("\ufeff").then(({ rest }) => rest.length))), "0"); // no words
});

test("2,000 characters are taken, counted as Python does", { skip }, async () => {
  const [smile, rest] = await page.evaluate(async () => {
    const text = `she is thrilled ${"😀".repeat(1984)}`;
    return [(await face.express(text)).mouthSmileLeft, (await face.interpret(text)).rest.length];
  });
  assert.ok(smile >= 0 && smile <= 1 && rest > 0);
});

test("a text of 10 MB is refused at once, and the page is never held up for 50 ms", { skip }, async () => {
  // What the page's own thread computed, which a busy machine does not change: none of it can block for longer.
  const client = await page.context().newCDPSession(page);
  await client.send("Performance.enable");
  const time = async () => {
    const { metrics } = await client.send("Performance.getMetrics");
    return 1000 * metrics.find(({ name }) => name === "ThreadTime").value;
  };
  const during = async (task) => {
    const before = await time();
    const value = await page.evaluate(task);
    return [value, (await time()) - before];
  };
  await page.evaluate(() => (globalThis.long = "angry ".repeat(1.7e6)));
  const [message, refusal] = await during(() => failure(face.express(long)));
  assert.match(message, /at most 2000 characters, got 10200000/);
  const [, load] = await during(async () => (globalThis.other = await Face.load("/model/", { cache: false })) && 1);
  const [, answers] = await during(async () => {
    const texts = Array.from({ length: 20 }, (_, row) => `she is thrilled ${row}`);
    return (await Promise.all(texts.map((text) => other.express(text)))).length;
  });
  const [, computing] = await during(() => {
    let sum = 0;
    for (let step = 0; step < 3e8; step++) sum += Math.sqrt(step);
    return sum > 0;
  });
  await page.evaluate("other.close()");
  assert.ok(computing > 50, `the clock sees what the page computes: ${computing} ms`);
  assert.ok(refusal < 50 && load < 50 && answers < 50, `${refusal}, ${load}, ${answers} ms`);
});

test("calls that overlap are answered in their order, each as if alone", { skip }, async () => {
  const [order, isSame] = await page.evaluate(async () => {
    const texts = ["she is thrilled", "he is devastated ".repeat(60), "calm", "a wry smile", "she is thrilled"];
    const order = [];
    const together = await Promise.all(
      texts.map((text, row) => face.express(text).then((weights) => (order.push(row), weights))),
    );
    const alone = [];
    for (const text of texts) alone.push(await face.express(text));
    return [order, JSON.stringify(together) === JSON.stringify(alone)];
  });
  assert.deepEqual(order, [0, 1, 2, 3, 4]);
  assert.ok(isSame);
});

test("two faces at once do not disturb each other", { skip }, async () => {
  const [one, two] = await page.evaluate(async () => {
    const faces = await Promise.all([Face.load("/model/"), Face.load("/model/")]);
    const texts = ["furious", "delighted"];
    const rows = await Promise.all(texts.map((text, place) => faces[place].express(text)));
    faces[0].close();
    rows.push(await faces[1].express("furious"));
    faces[1].close();
    return [JSON.stringify(rows[0]) === JSON.stringify(rows[2]), JSON.stringify(rows[0]) === JSON.stringify(rows[1])];
  });
  assert.deepEqual([one, two], [true, false]);
});

test("close rejects what waits and what comes later", { skip }, async () => {
  const messages = await page.evaluate(async () => {
    const other = await Face.load("/model/");
    const waiting = [failure(other.express("calm")), failure(other.interpret("calm"))];
    other.close();
    other.close();
    return Promise.all([...waiting, failure(other.express("calm"))]);
  });
  assert.deepEqual(messages, Array(3).fill("Error: the face was closed: load it again"));
});

test("a worker that dies is an error for all who wait", { skip }, async () => {
  const messages = await page.evaluate(async () => {
    const other = await Face.load("/model/", { runtime: "/dying/" });
    const first = await Promise.all([failure(other.express("calm")), failure(other.express("furious"))]);
    return [...first, await failure(other.express("delighted"))];
  });
  for (const message of messages)
    assert.match(message, /^Error: the face's worker stopped \(.*out of memory\): load it again$/);
});

test("what the encoder cuts or hardly knows is noted", { skip }, async () => {
  const [notes, interpretation] = await page.evaluate(async () => {
    globalThis.notes.length = 0;
    await face.express("so happy, oh! ".repeat(140));
    await face.express("Она очень рада");
    await face.express("she is thrilled");
    return [globalThis.notes, await face.interpret("Она очень рада")];
  });
  assert.equal(notes.length, 3);
  assert.match(notes[0], /^a description of 7\d\d tokens was longer than the encoder's window of 512 and lost its end$/);
  assert.match(notes[1], /^letters of Cyrillic: /);
  assert.match(notes[2], /^"Она очень рада" is of words or a script that the encoder hardly knows: /);
  assert.equal(interpretation.rest, "Она очень рада");
  assert.deepEqual(interpretation.notes, notes.slice(1));
});

test("threads are those asked for where the page is isolated, and answer the same", { skip }, async () => {
  const [isIsolated, threads, difference] = await page.evaluate(async () => {
    const rows = [];
    const threads = [];
    for (const count of [1, 2]) {
      const other = await Face.load("/model/", { threads: count });
      rows.push(Object.values(await other.express("a wry smile with a hint of contempt")));
      threads.push(other.threads);
      other.close();
    }
    return [crossOriginIsolated, threads, Math.max(...rows[0].map((weight, place) => Math.abs(weight - rows[1][place])))];
  });
  assert.ok(isIsolated);
  assert.deepEqual(threads, [1, 2]);
  assert.ok(difference < 1e-5, `${difference}`);
});
