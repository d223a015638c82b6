// The adapters on the code of others: three.js, @pixiv/three-vrm and TalkingHead wear the weights that Python's generator
// gave two sentences. The pictures are kept in .pictures.
import assert from "node:assert";
import { existsSync } from "node:fs";
import { after, before, test } from "node:test";
import { WEB } from "./support/browser.mjs";
import { keep, measure, noBrowser, python } from "./support/characters.mjs";
import { startViewers, TALKING_PAGE, THREE_PAGE, VRM_PAGE } from "./support/viewers.mjs";

const THRILLED = "she is thrilled";
const WINK = "he winks with his left eye";
const skip = noBrowser || (!existsSync(`${WEB}dist/adapters.js`) && "not built: npm run build");
const weights = (text) => ({ ...python.weights[text] });
let viewers;

before(async () => {
  if (!skip) viewers = await startViewers();
});
after(() => viewers?.stop());

/** Boxes about a face on a picture of 480 pixels: its mouth, the eyes at its left and right, and its forehead. */
function boxes([x, y], [left, right]) {
  const unit = Math.abs(left[0] - right[0]);
  const eye = ([x, y]) => [x - 0.3 * unit, y - 0.22 * unit, 0.6 * unit, 0.44 * unit];
  return [[x - 0.5 * unit, y - 0.3 * unit, unit, 0.6 * unit], eye(left), eye(right)];
}

/** A picture of what a page shows. */
async function look(page, name) {
  const png = await page.locator("#stage").screenshot();
  keep(name, png);
  return png;
}

/** The smile is seen where the mouth is, and lighter by its teeth; the wink at the left eye alone. */
async function checkPictures(page, places, pictures) {
  const [mouth, left, right] = boxes(places.mouth, [places.left, places.right]);
  const [smile] = await measure(page, pictures.thrilled, [mouth], pictures.rest);
  assert.ok(smile.moved > 0.15, `mouth: ${smile.moved}`);
  const [wink, open, lips] = await measure(page, pictures.wink, [left, right, mouth], pictures.rest);
  assert.ok(wink.moved > 0.15, `left eye: ${wink.moved}`);
  assert.ok(open.moved < 0.02 && lips.moved < 0.02, `right eye: ${open.moved}, mouth: ${lips.moved}`);
}

async function shoot(page, name) {
  const pictures = {};
  for (const [key, text] of [["rest", undefined], ["thrilled", THRILLED], ["wink", WINK]]) {
    await page.evaluate((weights) => wear(weights), text ? weights(text) : {});
    pictures[key] = await look(page, `${name}-${key}`);
  }
  return pictures;
}

test("three.js wears them on plain morph targets", { skip }, async () => {
  const page = await viewers.show(THREE_PAGE, "head.glb");
  await page.evaluate((weights) => wear(weights), weights(THRILLED));
  const influences = await page.evaluate(
    "Object.fromEntries(Object.entries(meshes[0].morphTargetDictionary).map(([n, k]) => [n, meshes[0].morphTargetInfluences[k]]))",
  );
  for (const [name, weight] of Object.entries(weights(THRILLED))) assert.equal(influences[name], weight);
  const pictures = await shoot(page, "three");
  // Of our adult head, metres: emo3d.face.FaceRig.from_anny("adult"), centres of what blinks and puckers.
  const [mouth, left, right] = await page.evaluate("[at(0, 0.085, 0.145), at(0.033, 0.157, 0.12), at(-0.033, 0.157, 0.12)]");
  await checkPictures(page, { mouth, left, right }, pictures);
  await assert.rejects(page.evaluate("wear({ smile: 1 })"), /expected names of ARKit's 52 blendshapes, got "smile"/);
  assert.deepEqual(page.problems, []);
});

test("three-vrm wears them by Perfect Sync", { skip }, async () => {
  const page = await viewers.show(VRM_PAGE, "woman.vrm");
  const pictures = await shoot(page, "vrm");
  const amounts = await page.evaluate("amounts()");
  assert.equal(amounts.EyeBlinkLeft, weights(WINK).eyeBlinkLeft);
  assert.equal(amounts.happy, 0);
  const frame = python.frames["woman.vrm"];
  const places = await page.evaluate(
    ([x, y, z, half]) => [at(x, y - 0.42 * half, z), at(x + 0.24 * half, y + 0.08 * half, z), at(x - 0.24 * half, y + 0.08 * half, z)],
    frame,
  );
  await checkPictures(page, { mouth: places[0], left: places[1], right: places[2] }, pictures);
  assert.deepEqual(page.problems, []);
});

for (const [file, version] of [["presets-1.vrm", "1.0"], ["presets-0.vrm", "0.x"]])
  test(`three-vrm wears them by presets alone, VRM ${version}`, { skip }, async () => {
    const page = await viewers.show(VRM_PAGE, file, [0, 0.14, 0.12]);
    const pictures = await shoot(page, `presets-${version[0]}`);
    await page.evaluate((weights) => wear(weights), weights(THRILLED));
    const thrilled = await page.evaluate("amounts()");
    assert.ok(thrilled.happy > 0.9, JSON.stringify(thrilled));
    assert.ok(Object.entries(thrilled).every(([name, amount]) => name === "happy" || amount < 0.1), JSON.stringify(thrilled));
    const [mouth, left, right] = await page.evaluate("[at(0, 0.085, 0.145), at(0.033, 0.157, 0.12), at(-0.033, 0.157, 0.12)]");
    await checkPictures(page, { mouth, left, right }, pictures);
    assert.deepEqual(page.problems, []);
  });

/** A TalkingHead stopped in its tracks, with its weights and without them: all that differs is ours. */
async function frozen(page, name) {
  await page.evaluate("freeze()");
  const [mouth, left, right] = await page.evaluate("places()");
  const png = await look(page, name);
  await page.evaluate((names) => freeze(names), Object.keys(weights(WINK)));
  const without = await look(page, `${name}-without`);
  return measure(page, png, boxes(mouth, [left, right]), without);
}

const face = (page, condition) =>
  page.waitForFunction(`(() => { const face = influences(); return ${condition}; })()`, null, { polling: 50 });

test("TalkingHead wears them as its mood and goes on to blink", { skip }, async () => {
  const page = await viewers.show(TALKING_PAGE, "fisherman.glb");
  await page.evaluate((weights) => wear(weights), weights(THRILLED));
  await face(page, "face.mouthSmileLeft > 0.95 && face.mouthSmileRight > 0.95 && face.mouthFrownLeft < 0.05");
  // A lid that no weight closes: it blinks on its own, and opens again.
  await face(page, "face.eyeBlinkRight > 0.6");
  await face(page, "face.eyeBlinkRight < 0.1");
  const [mouth] = await frozen(page, "talkinghead-thrilled");
  assert.ok(mouth.moved > 0.15, `mouth: ${mouth.moved}`);
});

test("TalkingHead holds them, and a wink is one eye's", { skip }, async () => {
  const page = await viewers.show(TALKING_PAGE, "fisherman.glb");
  await page.evaluate((weights) => hold(weights), weights(WINK));
  await face(page, "face.eyeBlinkLeft > 0.99 && face.eyeBlinkRight < 0.01");
  const [mouth, wink, open] = await frozen(page, "talkinghead-wink");
  assert.ok(wink.moved > 0.15, `left eye: ${wink.moved}`);
  assert.ok(open.moved < 0.02 && mouth.moved < 0.02, `right eye: ${open.moved}, mouth: ${mouth.moved}`);
});
