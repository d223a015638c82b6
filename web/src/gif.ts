import { ease } from "./ease.ts";
import type { Film } from "./gif.worker.ts";
import type { Stage } from "./stage.ts";
import { TARGETS, type Weights } from "./weights.ts";
import { workerAt } from "./workers.ts";

/** How long and how large a GIF is. */
export interface GifOptions {
  /** Side in pixels, 16 to 512; 256 by default. */
  size?: number;
  /** Frames per second, 1 to 25; 15 by default. */
  rate?: number;
  /** Seconds for which the expression is held, 0 to 5; 1 by default. It comes and goes in half a second each. */
  hold?: number;
}

const TURN = 0.5; // seconds in which the expression comes

/**
 * Films how an expression comes and goes, as a GIF that goes round.
 *
 * @throws RangeError for options out of range.
 */
export async function film(stage: Stage, weights: Weights, color: string, options: GifOptions = {}): Promise<Blob> {
  const { size = 256, rate = 15, hold = 1 } = options;
  checkRange("a size", size, 16, 512);
  checkRange("a rate", rate, 1, 25);
  checkRange("seconds to hold", hold, 0, 5);
  const canvas = new OffscreenCanvas(size, size);
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  const end = 2 * TURN + hold;
  const delay = Math.round(100 / rate) * 10; // a GIF counts hundredths
  const frames: Film["frames"] = [];
  for (let time = 0; time < 1000 * end; time += delay) {
    await new Promise((resolve) => setTimeout(resolve)); // the page goes on meanwhile
    const share = ease(Math.min(time / 1000, end - time / 1000) / TURN);
    context.fillStyle = color;
    context.fillRect(0, 0, size, size);
    stage.draw(canvas, Object.fromEntries(TARGETS.map((name) => [name, share * (weights[name] ?? 0)])), true);
    frames.push({ data: context.getImageData(0, 0, size, size).data as Uint8ClampedArray<ArrayBuffer>, delay });
  }
  return write({ width: size, height: size, frames });
}

function startWorker(): Worker {
  try {
    return new Worker(new URL("./gif.worker.js", import.meta.url), { type: "module" });
  } catch {
    return workerAt(import.meta.url.replace(/[^/]*$/, "gif.worker.js")); // this script is of another host
  }
}

function write(film: Film): Promise<Blob> {
  const worker = startWorker();
  return new Promise<Blob>((resolve, reject) => {
    worker.onmessage = ({ data: { gif, error } }) =>
      gif ? resolve(new Blob([gif], { type: "image/gif" })) : reject(new Error(error));
    worker.onerror = ({ message }) => reject(new Error(`expected gif.worker.js beside the script: ${message}`));
    worker.postMessage(
      film,
      film.frames.map(({ data }) => data.buffer),
    );
  }).finally(() => worker.terminate());
}

function checkRange(what: string, value: number, least: number, most: number): void {
  if (!(value >= least && value <= most)) throw new RangeError(`expected ${what} of ${least} to ${most}, got ${value}`);
}
