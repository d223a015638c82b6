import { applyPalette, GIFEncoder, quantize } from "gifenc";

/** An animated GIF of frames of one size, that repeats for ever; `pause` gives the page time between two frames. */
export async function gifOf(
  frames: readonly ImageData[],
  milliseconds: readonly number[],
  pause: () => Promise<void>,
): Promise<Blob> {
  const [first] = frames;
  const last = frames.reduce((_, frame) => frame, first);
  // One palette for all: that of the ends, between which all others lie. Colours that jitter would be seen.
  const ends = new Uint8ClampedArray(first.data.length + last.data.length);
  ends.set(first.data);
  ends.set(last.data, first.data.length);
  const palette = quantize(ends, 256);
  const encoder = GIFEncoder();
  for (const [place, frame] of frames.entries()) {
    await pause();
    const indices = applyPalette(frame.data, palette);
    encoder.writeFrame(indices, frame.width, frame.height, {
      ...(place ? {} : { palette, repeat: 0 }),
      delay: milliseconds[place],
    });
  }
  encoder.finish();
  return new Blob([new Uint8Array(encoder.bytes())], { type: "image/gif" });
}
