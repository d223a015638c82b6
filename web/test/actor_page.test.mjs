// An actor with a real model in Chromium: the texts that it reads, and the emotions that come of lines of dialogue.
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { skip, startPage } from "./support/browser.mjs";

const { lines } = JSON.parse(readFileSync(new URL("../../tests/lab/actor_traces.json", import.meta.url), "utf8"));
let page;
before(async () => {
  if (skip) return;
  page = await startPage();
  await page.evaluate(async () => {
    globalThis.face = await Face.load("/model/");
  });
});
after(() => page?.stop());

test("lines of dialogue come out as what they are", { skip }, async () => {
  const emotions = await page.evaluate(async () => {
    const actor = new Actor(face, { mood: "content" });
    const lines = [
      "I'm done explaining, the system is broken.", // the issue's: a regular expression had it as happy
      "What a lovely surprise, thank you so much!",
      "(sobbing) It was only a dog, I know.",
      "<act>furious</act> The bill, please.",
    ];
    const states = [];
    for (const [place, line] of lines.entries()) states.push(await actor.act(line, { at: 5 * place }));
    return states.map(({ emotion }) => emotion);
  });
  assert.ok(["anger", "sadness", "contempt"].includes(emotions[0]), emotions[0]);
  assert.deepEqual(emotions.slice(1), ["happiness", "sadness", "anger"]); // as in tests/lab/test_actor.py
});

test("only acts order parts of the face about", { skip }, async () => {
  const [said, wink] = await page.evaluate(async () => {
    const actor = new Actor(face);
    await actor.act("Close your eyes and count to ten.", { at: 0 });
    const said = actor.weights(1);
    await actor.act("<act>she winks with her left eye</act> You are late.", { at: 60 });
    return [said, actor.weights(60.8)];
  });
  assert.ok(Math.max(said.eyeBlinkLeft, said.eyeBlinkRight) < 0.3);
  assert.ok(wink.eyeBlinkLeft > 0.95 && wink.eyeBlinkRight < 0.2);
});

test("an animator shows what an actor feels, frame by frame", { skip }, async () => {
  const smiles = await page.evaluate(async () => {
    const [actor, animator] = [new Actor(face), new Animator({ smoothing: 0.1 })];
    await actor.act("What a lovely surprise, thank you so much!", { at: 0 });
    return Array.from({ length: 120 }, (_, frame) => {
      animator.target(actor.weights(frame / 60));
      return animator.step(1 / 60).mouthSmileLeft;
    });
  });
  assert.ok(smiles[0] < 0.01 && smiles.at(-1) > 0.5);
  assert.ok(smiles.every((smile, frame) => !frame || Math.abs(smile - smiles[frame - 1]) < 0.1));
});

test("a model reads of each line what Python's does", { skip }, async () => {
  const read = await page.evaluate(
    (lines) => Promise.all(lines.map(({ line, context }) => readLine(line, context ?? undefined, face))),
    lines,
  );
  assert.ok(lines.length >= 16);
  for (const [place, { text, spoken, instructions }] of read.entries()) {
    const { line, context, ...others } = lines[place];
    assert.deepEqual({ text, spoken, instructions }, others, line);
  }
});
