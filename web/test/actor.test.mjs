// An actor in TypeScript is and shows what Python's does, by the traces of tests/lab/actor_traces.py.
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { sources } from "./bundle.mjs";

const { Actor, readLine } = await sources("actor");
const { faceAt, readState, restState } = await sources("moods");
const { TARGETS } = await sources("weights");
const traces = JSON.parse(readFileSync(new URL("../../tests/lab/actor_traces.json", import.meta.url), "utf8"));
const NEAR = 1e-6;

function near(own, other, place) {
  for (const name of new Set([...Object.keys(own), ...Object.keys(other)])) {
    const [a, b] = [own[name] ?? 0, other[name] ?? 0];
    assert.ok(Math.abs(a - b) <= NEAR, `${place}: ${name} is ${a}, in Python ${b}`);
  }
}

/** A face that answers what a chat says, and refuses texts that Python's generator did not get. */
function fakeFace(chat) {
  const face = {
    line: undefined,
    express: async (text, { strength = 1 } = {}) => {
      const [call] = face.line.calls;
      assert.deepEqual({ text, strength }, call);
      return face.line.expression;
    },
    interpret: async (text) => chat.interpretations[text] ?? assert.fail(`Python did not read ${JSON.stringify(text)}`),
  };
  return face;
}

const still = { express: async () => ({ mouthSmileLeft: 0.8, mouthSmileRight: 0.8 }) };
const spelt = ({ mood_strength: moodStrength, ...rest }) => ({ ...rest, ...(moodStrength && { moodStrength }) });

for (const [number, chat] of traces.chats.entries())
  test(`chat ${number}: state and faces are Python's`, async () => {
    const face = fakeFace(chat);
    const actor = new Actor(face, spelt(chat.options));
    for (const line of chat.lines) {
      face.line = line;
      await actor.act(line.line, { at: line.at, ...line.options });
      for (const { at, weights } of line.faces) near(actor.weights(at), weights, `${line.line} at ${at} s`);
    }
    const { temper, mood, start, felt, gesture, ...rest } = actor.state;
    const { temper: b, mood: m, start: s, felt: f, gesture: g, ...others } = chat.state;
    assert.deepEqual(rest, others);
    for (const [own, other] of [[temper, b], [mood, m], [start, s], [felt, f], [gesture ?? {}, g ?? {}]]) near(own, other, "state");
    // Python's state goes on here.
    const resumed = new Actor(still, { ...spelt(chat.options), mood: undefined, state: chat.state });
    assert.deepEqual(resumed.state, chat.state);
    near(resumed.weights(800), actor.weights(800), "resumed");
  });

test("by hand: half of the way in half of the onset, and half of it left after a half-life", async () => {
  const actor = new Actor(still); // happiness: onset 0.6 s, apex 1.5 s, half-life 8 s
  const state = await actor.act("Ha", { at: 10 });
  assert.equal(state.emotion, "happiness");
  assert.ok(Math.abs(actor.weights(10.3).mouthSmileLeft - 0.4) < 1e-9);
  assert.ok(Math.abs(actor.weights(12.1).mouthSmileLeft - 0.8) < 1e-9);
  const mood = 0.0288 * 0.5 ** (10.1 / 300);
  assert.ok(Math.abs(actor.weights(20.1).mouthSmileLeft - (0.4 + mood / 2)) < 1e-8);
});

test("lines are heard in their order, however long each is read", async () => {
  const waits = [30, 1, 10];
  const texts = [];
  const face = {
    express: async (text) => {
      await new Promise((resolve) => setTimeout(resolve, waits[texts.length]));
      texts.push(text);
      return {};
    },
  };
  const actor = new Actor(face);
  const failure = actor.act(" ");
  await Promise.all([actor.act("One.", { at: 1 }), actor.act("Two.", { at: 2 }), actor.act("Three.", { at: 3 })]);
  await assert.rejects(failure, /expected a line of words/);
  assert.deepEqual(texts.map((text) => text.split(" ").at(-1)), ["One.", "Two.", "Three."]);
  assert.equal(actor.state.at, 3);
});

test("a mood in words, and one that cannot be read", async () => {
  const actor = new Actor(still, { mood: "content", moodStrength: 0.5 });
  await actor.act("Ha", { at: 0 });
  assert.ok(Math.abs(actor.state.temper.mouthSmileLeft - 0.4) < 1e-9);
  const broken = new Actor({ express: async () => Promise.reject(new Error("closed")) }, { mood: "content" });
  await assert.rejects(broken.act("Ha"), /closed/);
});

test("the clock goes on, and time runs forward only", async () => {
  let now = 100;
  const actor = new Actor(still, { clock: () => now });
  now = 105;
  assert.equal((await actor.act("Ha")).at, 5);
  assert.ok(Math.abs(actor.weights(5.3).mouthSmileLeft - 0.4) < 1e-9);
  assert.throws(() => actor.weights(4), /runs forward only, got 4 where the last line came at 5 s/);
  assert.throws(() => actor.weights(NaN), /runs forward only/);
  await assert.rejects(actor.act("Ha", { at: 1 }), RangeError);
});

test("what is out of range is refused in a sentence", async () => {
  for (const options of [{ carry: 1.1 }, { decay: 0 }, { moodStrength: NaN }, { mood: { jaw: 1 } }, { mood: 3 }])
    assert.throws(() => new Actor(still, options), { name: "RangeError", message: /^expected / });
  const { state } = new Actor(still);
  const bad = [null, "x", { ...state, format: "emo3d-actor-2" }, { ...state, more: 1 }, { ...state, at: -1 }, { ...state, hold: null }, { ...state, hold: "5" }];
  for (const other of [...bad, { ...state, emotion: "toString" }, { ...state, mood: { jawOpen: 2 } }, { ...state, felt: null }])
    assert.throws(() => readState(other), { name: "RangeError", message: /^expected / });
  for (const [line, options] of [["a".repeat(2001)], [7], ["a", { context: " " }], ["a", { strength: 2 }], ["a", { strength: NaN }]])
    await assert.rejects(new Actor(still).act(line, options), { name: "RangeError", message: /^expected / });
});

test("what a model reads of a line", async () => {
  const text = async (...line) => (await readLine(...line)).text;
  assert.equal(await text("Hello."), "Matter-of-factly: Hello.");
  assert.equal(await text("Hello.", "At a grave."), 'At a grave. "Hello."');
  assert.equal(await text("(sighs) Hello.", "At a grave."), 'Feeling: sighs. At a grave. "Hello."');
  assert.equal(await text("😢"), "😢");
  assert.equal(await text("..."), "...");
});

test("an actor at rest shows its mood for ever", () => {
  const state = restState(Float64Array.from(TARGETS, (_, place) => place / 100));
  near(Object.fromEntries(TARGETS.map((name, place) => [name, faceAt(state, 1e9)[place]])), state.mood, "rest");
});
