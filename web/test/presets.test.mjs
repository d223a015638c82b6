// Spellings, and how a VRM's expressions stand for ARKit's blendshapes: held against Python, without a browser.
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { sources } from "./bundle.mjs";
import { WEB } from "./support/browser.mjs";
import { noCharacters, python } from "./support/characters.mjs";

const { spreader } = await sources("presets");
const { blendshapeOf } = await sources("spelling");
const { ordered, TARGETS } = await sources("weights");
const table = JSON.parse(readFileSync(`${WEB}src/presets.json`, "utf8"));
const amounts = (spread, weights) => Object.fromEntries([...spread(ordered(weights))].filter(([, x]) => x > 1e-3));
const near = (got, expected, tolerance) => {
  assert.deepEqual(Object.keys(got).sort(), Object.keys(expected).sort());
  for (const name in expected) assert.ok(Math.abs(got[name] - expected[name]) < tolerance, `${name}: ${got[name]}`);
};

test("spellings mean what they mean to Python", { skip: noCharacters }, () => {
  const names = Object.entries(python.spellings);
  assert.ok(names.length > 3000);
  for (const [name, blendshape] of names)
    assert.equal(blendshapeOf(name) ?? null, blendshape === "_neutral" ? null : blendshape, name); // MediaPipe's name of rest
});

test("a mapping of the user's own comes first", () => {
  assert.equal(blendshapeOf("Fcl_EYE_Close_L", { Fcl_EYE_Close_L: "eyeBlinkLeft" }), "eyeBlinkLeft");
  assert.equal(blendshapeOf("jawOpen", { jawOpen: null }), undefined);
  assert.throws(() => blendshapeOf("smile", { smile: "smile" }), /gives "smile" as "smile", which is no ARKit blendshape/);
});

test("presets are those that `emo3d vrm` fills", { skip: noCharacters }, () => {
  const { neutral, ...presets } = python.presets;
  assert.deepEqual(Object.keys(table), Object.keys(presets));
  for (const [preset, weights] of Object.entries(presets))
    for (const [name, weight] of Object.entries(weights))
      assert.ok(Math.abs((table[preset][name] ?? 0) - weight) < 1e-6, `${preset} ${name}`);
  assert.ok(Object.values(neutral).every((weight) => weight === 0));
});

test("a preset's own weights are that preset, and half of them half of it", () => {
  const names = Object.keys(table);
  const spread = spreader(names);
  for (const name of names.filter((name) => name !== "blink" && name !== "relaxed"))
    near(amounts(spread, table[name]), { [name]: 1 }, 0.01);
  const half = Object.fromEntries(Object.entries(table.surprised).map(([name, weight]) => [name, weight / 2]));
  near(amounts(spread, half), { surprised: 0.5 }, 0.01);
  near(amounts(spreader(["relaxed", "sad"]), table.relaxed), { relaxed: 1 }, 0.01);
  near(amounts(spread, table.blink), { blinkLeft: 1, blinkRight: 1 }, 0.01);
  assert.deepEqual(amounts(spread, {}), {});
});

test("one eye and a mood together are both seen", () => {
  // By hand: happy and blinkLeft share no blendshape, so each is its own.
  near(amounts(spreader(["happy", "blinkLeft", "blinkRight"]), { ...table.happy, eyeBlinkLeft: 1 }), { happy: 1, blinkLeft: 1 }, 0.01);
});

test("Perfect Sync takes each blendshape as it is and leaves presets nothing", () => {
  const spread = spreader([...TARGETS.map((name) => name[0].toUpperCase() + name.slice(1)), "happy", "aa", "blink"]);
  const weights = { mouthSmileLeft: 0.25, jawOpen: 0.5, tongueOut: 1 };
  assert.deepEqual(amounts(spread, weights), { MouthSmileLeft: 0.25, JawOpen: 0.5, TongueOut: 1 });
});

test("a single name of ARKit's beside presets does not silence them", () => {
  near(amounts(spreader(["TongueOut", "happy", "sad"]), { ...table.happy, tongueOut: 0.5 }), { happy: 1, TongueOut: 0.5 }, 0.01);
});

test("a VRM of 0.x calls surprise as it likes", () => {
  near(amounts(spreader(["Surprised", "angry"]), table.surprised), { Surprised: 1 }, 0.01);
});

test("expressions of other names are refused in a sentence", () => {
  assert.throws(() => spreader(["Smirk", "neutral"]), /expected expressions of VRM's presets or of ARKit's names, got Smirk, neutral/);
  assert.throws(() => spreader([]), /got none/);
});
