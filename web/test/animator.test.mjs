// A face moves smoothly, whatever the frame rate, blinks as people do, and speaks by the compositor.
import assert from "node:assert";
import { test } from "node:test";
import { sources } from "./bundle.mjs";

const { Animator } = await sources("animator");
const { CHANNELS, Compositor } = await sources("compositor");
const { TARGETS } = await sources("weights");
const NO_BLINKS = { blinks: false };

function numbers(seed) {
  let state = seed;
  return () => (state = (state * 48271) % 2147483647) / 2147483647;
}
const lids = (face) => Math.max(face.eyeBlinkLeft, face.eyeBlinkRight);
/** When lids begin to shut, of so many seconds at a rate. */
function blinksOf(animator, seconds, rate = 100) {
  const starts = [];
  let before = lids(animator.step(0));
  for (let frame = 1; frame <= seconds * rate; frame += 1) {
    const now = lids(animator.step(1 / rate));
    if (before < 0.05 && now >= 0.05) starts.push(frame / rate);
    before = now;
  }
  return starts;
}

test("nine tenths of the way in the time of smoothing, as two low passes go", () => {
  const animator = new Animator({ ...NO_BLINKS, smoothing: 0.5 });
  animator.target({ jawOpen: 1 });
  assert.ok(Math.abs(animator.step(0.5).jawOpen - 0.9) < 1e-5);
  const other = new Animator({ ...NO_BLINKS, smoothing: 0.5 });
  other.target({ jawOpen: 0.8 });
  // By hand: 0.8 (1 - (1 + x) exp(-x)) with x = 3.8897 x 0.2 = 0.77794 after 0.1 s; exp(-0.77794) = 0.459351.
  assert.ok(Math.abs(other.step(0.1).jawOpen - 0.8 * (1 - 1.77794 * 0.459351)) < 1e-5);
});

test("30, 60 and uneven steps a second are at the same place at the same time, with blinks", () => {
  const draw = numbers(5);
  const goals = Array.from({ length: 20 }, () => Object.fromEntries(TARGETS.map((name) => [name, draw() * (name.startsWith("eyeBlink") ? 0.3 : 1)])));
  const film = (steps) => {
    const animator = new Animator({ seed: 3 });
    return goals.flatMap((goal) => {
      animator.target(goal);
      return [0, 1].map(() => steps().reduce((_, seconds) => animator.step(seconds), undefined));
    });
  };
  const slow = film(() => Array(8).fill(1 / 30));
  const uneven = () => {
    const cuts = [0, ...Array.from({ length: 12 }, draw).sort(), 1];
    return cuts.slice(1).map((cut, place) => ((cut - cuts[place]) * 8) / 30);
  };
  for (const other of [film(() => Array(16).fill(1 / 60)), film(uneven)])
    slow.forEach((face, place) => {
      for (const name of TARGETS) assert.ok(Math.abs(face[name] - other[place][name]) < 1e-3, `${name} in ${place}`);
    });
});

test("weights never leave the range of their targets, however they are turned about", () => {
  const draw = numbers(9);
  const animator = new Animator({ ...NO_BLINKS, smoothing: 0.2 });
  for (let frame = 0; frame < 5000; frame += 1) {
    if (draw() < 0.2) animator.target({ jawOpen: draw() < 0.5 ? 0 : 1, mouthPucker: 0.3 + 0.4 * draw() });
    const face = animator.step(0.1 * draw());
    assert.ok(face.jawOpen >= 0 && face.jawOpen <= 1 && face.mouthPucker <= 0.7 + 1e-12);
    if (frame > 200) assert.ok(face.mouthPucker >= 0.3 - 1e-3);
  }
});

test("it comes to rest at its target exactly, and no time changes nothing", () => {
  const animator = new Animator(NO_BLINKS);
  animator.target({ jawOpen: 0.7 });
  const first = animator.step(0.05);
  assert.deepEqual(animator.step(0), first);
  for (let frame = 0; frame < 120; frame += 1) animator.step(1 / 60);
  assert.equal(animator.step(1 / 60).jawOpen, 0.7);
  const sudden = new Animator({ ...NO_BLINKS, smoothing: 0 });
  sudden.target({ jawOpen: 0.7 });
  assert.equal(sudden.step(0).jawOpen, 0.7);
});

test("17 blinks a minute, each 0.34 s, or as many as are asked for", () => {
  const starts = blinksOf(new Animator({ seed: 11 }), 1200);
  assert.ok(Math.abs(starts.length / 20 - 17) < 2, `${starts.length / 20} a minute`); // standard error 0.46
  const gaps = starts.slice(1).map((start, place) => start - starts[place]);
  assert.ok(Math.min(...gaps) > 0.5 && Math.max(...gaps) < 20);
  assert.ok(Math.abs(blinksOf(new Animator({ seed: 11, blinks: 26 }), 1200).length / 20 - 26) < 3);
  assert.equal(blinksOf(new Animator(NO_BLINKS), 300).length, 0);
  assert.notDeepEqual(blinksOf(new Animator({ seed: 12 }), 60), blinksOf(new Animator({ seed: 11 }), 60));
  const animator = new Animator({ seed: 11 });
  const heights = Array.from({ length: 12_000 }, () => lids(animator.step(0.005)));
  const begins = heights.findIndex((height) => height > 0);
  const ends = heights.findIndex((height, place) => place > begins && height === 0);
  assert.ok(Math.abs((ends - begins) * 0.005 - 0.34) < 0.011); // close 0.1, shut 0.03, open 0.21 s
  assert.equal(Math.max(...heights), 1);
  assert.ok(heights.indexOf(1) - begins <= 21); // the lid comes down in 0.1 s, and goes up more slowly
});

test("who winks or has the eyes shut does not blink, and a blink takes wide eyes along", () => {
  const winks = new Animator({ seed: 4 });
  winks.target({ eyeBlinkLeft: 1 });
  winks.step(2);
  for (let frame = 0; frame < 6000; frame += 1) assert.equal(winks.step(0.01).eyeBlinkRight, 0);
  const wide = new Animator({ seed: 4 });
  wide.target({ eyeWideLeft: 1 });
  wide.step(2);
  for (let frame = 0; frame < 3000; frame += 1) {
    const face = wide.step(0.01);
    assert.ok(Math.abs(face.eyeWideLeft - (1 - face.eyeBlinkLeft)) < 1e-9);
  }
});

test("a page that slept for ten minutes, or a year, goes on at once and without a burst of blinks", () => {
  for (const seconds of [600, 3.2e7]) {
    const animator = new Animator({ seed: 6 });
    animator.target({ jawOpen: 0.5 });
    const start = performance.now();
    const face = animator.step(seconds);
    assert.ok(performance.now() - start < 50);
    assert.equal(face.jawOpen, 0.5);
    assert.equal(lids(face), 0);
    const blinks = blinksOf(animator, 20).length;
    assert.ok(blinks >= 1 && blinks <= 12, `${blinks} blinks in 20 s`);
  }
});

test("speech is the compositor's, and the emotion has the mouth back after it", () => {
  const animator = new Animator({ ...NO_BLINKS, smoothing: 0 });
  const frame = new Float64Array(61);
  [frame[CHANNELS.indexOf("jawOpen")], frame[CHANNELS.indexOf("headYaw")]] = [0.5, 0.2];
  animator.target({ mouthSmileLeft: 0.8, mouthSmileRight: 0.8, mouthPressLeft: 0.4 });
  animator.speak(frame);
  const compositor = new Compositor(60);
  const emotion = CHANNELS.map((name) => ({ mouthSmileLeft: 0.8, mouthSmileRight: 0.8, mouthPressLeft: 0.4 })[name] ?? 0);
  for (let step = 0; step < 10; step += 1) {
    const face = animator.step(1 / 60);
    const composed = compositor.step(frame, emotion);
    TARGETS.forEach((name, place) => assert.equal(face[name], composed[place]));
  }
  assert.ok(Math.abs(animator.turns[0] - 0.2) < 1e-12);
  animator.speak(undefined);
  for (let step = 0; step < 240; step += 1) animator.step(1 / 60);
  assert.equal(animator.step(1 / 60).mouthPressLeft, 0.4);
  assert.deepEqual([...animator.turns], Array(9).fill(0));
});

test("what is no number or out of range is refused in a sentence", () => {
  const animator = new Animator();
  const refused = { name: "RangeError", message: /^expected / };
  for (const seconds of [NaN, -1, Infinity, "1", undefined]) assert.throws(() => animator.step(seconds), refused);
  for (const weights of [{ jaw: 1 }, { jawOpen: NaN }, { jawOpen: 1.1 }]) assert.throws(() => animator.target(weights), refused);
  for (const frame of [[], new Float64Array(61).fill(NaN), new Float64Array(61).fill(9)]) assert.throws(() => animator.speak(frame), refused);
  for (const options of [{ smoothing: -1 }, { smoothing: NaN }, { blinks: 1000 }, { blinks: NaN }, { seed: 0.5 }, { seed: -1 }])
    assert.throws(() => new Animator(options), refused);
  assert.ok(Object.values(animator.step(1)).every((weight) => weight >= 0 && weight <= 1)); // and goes on
});
