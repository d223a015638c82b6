import { encode } from "modern-gif";

/** Frames in RGBA, and how long each is shown, milliseconds. */
export interface Film {
  width: number;
  height: number;
  frames: { data: Uint8ClampedArray<ArrayBuffer>; delay: number }[];
}

// Writes a GIF apart from the page, since colours are chosen for all frames.
self.onmessage = async ({ data }: MessageEvent<Film>) => {
  try {
    self.postMessage({ gif: await encode({ ...data, maxColors: 255 }) });
  } catch (error) {
    self.postMessage({ error: (error as Error).message });
  }
};
