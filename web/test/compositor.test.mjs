// The compositor lays emotion over speech as Python's does, by the frames of tests/lab/clips/compositor_frames.py.
import assert from "node:assert";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { sources } from "./bundle.mjs";

const { CHANNELS, Compositor } = await sources("compositor");
const path = new URL("../../tests/lab/clips/compositor_frames.json", import.meta.url);
const clips = JSON.parse(readFileSync(path, "utf8"));
const numbers = (frame) => CHANNELS.map((name) => frame[name] ?? 0);
const rest = () => new Float64Array(61);
const at = (name) => CHANNELS.indexOf(name);

for (const { rate, priority, frames } of clips)
  test(`${frames.length} frames at ${rate} Hz are Python's`, () => {
    const compositor = new Compositor(rate, { priority });
    for (let round = 0; round < 2; round += 1) {
      for (const [place, [speech, emotion, composed]] of frames.entries()) {
        const own = compositor.step(numbers(speech), numbers(emotion));
        for (const [channel, name] of CHANNELS.entries()) {
          const other = composed[name] ?? 0;
          const message = `${name} of frame ${place} is ${own[channel]}, in Python ${other}`;
          assert.ok(Math.abs(own[channel] - other) <= 1e-6, message);
        }
      }
      compositor.reset(); // and all of it again
    }
  });

test("without speech an emotion stays what it is, and speech without emotion, too", () => {
  const emotion = rest().map((_, place) => (CHANNELS[place].startsWith("mouthSmile") ? 0.7 : 0));
  assert.deepEqual([...new Compositor(60).step(rest(), emotion)], [...emotion]);
  const speech = rest();
  speech[at("jawOpen")] = 0.4;
  assert.deepEqual([...new Compositor(60).step(speech, rest())], [...speech]);
});

test("closed lips stay closed under an open laugh", () => {
  const [speech, laugh] = [rest(), rest()];
  speech[at("mouthPressLeft")] = speech[at("mouthPressRight")] = 0.6; // a PP
  laugh[at("jawOpen")] = 0.7;
  assert.ok(new Compositor(30).step(speech, laugh)[at("jawOpen")] < 0.01);
});

test("what is no frame is refused with its channel", () => {
  const compositor = new Compositor(30);
  const refuse = (speech, emotion, message) =>
    assert.throws(() => compositor.step(speech, emotion), { name: "RangeError", message });
  refuse(new Float64Array(52), rest(), /expected a frame of 61 numbers of the speech, got 52/);
  refuse(undefined, rest(), /expected a frame of 61 numbers/);
  refuse(rest(), rest().fill(NaN, 24, 25), /expected jawOpen of the emotion in 0\.\.1, got NaN/);
  refuse(rest().fill(4, 52, 53), rest(), /expected headYaw of the speech in -pi\.\.pi \(radians\), got 4/);
  for (const [rate, options] of [[0], [241], [NaN], [30, { release: 0 }], [30, { priority: { jaw: 1 } }], [30, { priority: { jawOpen: 2 } }]])
    assert.throws(() => new Compositor(rate, options), { name: "RangeError", message: /^expected / });
});
