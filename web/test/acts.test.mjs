// Acts in a chat model's line are read as Python's `emo3d_lab.acts` reads them, whole and in chunks.
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { sources } from "./bundle.mjs";

const { ActReader, readActs } = await sources("acts");
const { acts } = JSON.parse(readFileSync(new URL("../../tests/lab/actor_traces.json", import.meta.url), "utf8"));

function inChunks(text, size) {
  const reader = new ActReader();
  const segments = [];
  const add = (segment) => {
    if (segment.kind === "said" && segments.at(-1)?.kind === "said") segments.at(-1).text += segment.text;
    else segments.push(segment);
  };
  for (let start = 0; start < text.length; start += size) reader.feed(text.slice(start, start + size)).forEach(add);
  reader.close().forEach(add);
  return segments;
}

test("the traces' lines are cut as in Python", () => {
  assert.ok(acts.length >= 10);
  for (const { text, segments } of acts) assert.deepEqual(readActs(text), segments);
});

test("chunks are the whole, cut anywhere, symbols too", () => {
  for (const { text, segments } of acts)
    for (const size of [1, 2, 3, 5, 8]) assert.deepEqual(inChunks(text, size), segments, `${text} by ${size}`);
});

test("no character of what is no act is lost, whatever comes", () => {
  let seed = 7;
  const draw = (count) => (seed = (seed * 48271) % 2147483647) % count;
  const parts = ["<act>", "</act>", "<", "*", "**", "(", ")", "laughs", "a ", " :", ")", "\n", "😂", "❤\ufe0f", "\u200d", "x", "\ud83d", ">"];
  for (let round = 0; round < 3000; round += 1) {
    const text = Array.from({ length: 1 + draw(14) }, () => parts[draw(parts.length)]).join("");
    const segments = readActs(text);
    assert.deepEqual(inChunks(text, 1 + draw(4)), segments, JSON.stringify(text));
    if (segments.every(({ kind }) => kind === "said")) assert.equal(segments.map((segment) => segment.text).join(""), text);
  }
});

test("300,000 hostile characters take seconds at most, and what is held back is bounded", () => {
  for (const part of ["<act>", "<act>a", "*a ", "(", "*", " :", "😂", "❤\u200d", "(a)", "*laughs ", " "]) {
    const start = performance.now();
    readActs(part.repeat(300_000 / part.length)); // looking at all that follows at each place would take minutes
    assert.ok(performance.now() - start < 10_000, JSON.stringify(part));
    const reader = new ActReader();
    let held = 0;
    for (let count = 0; count < 1000; count += 1) {
      held += part.length;
      for (const { text } of reader.feed(part)) held -= text.length;
      assert.ok(held <= 550, JSON.stringify(part));
    }
  }
});

test("a chunk that is no text is refused", () => {
  assert.throws(() => new ActReader().feed(7), { name: "RangeError", message: "expected a chunk of text, got a number" });
});
