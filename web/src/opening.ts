import { readGlb, type Glb } from "./glb.ts";
import { LIMITS } from "./limits.ts";

const SECONDS = 10; // for a check, which takes a tenth of one

let line: Promise<unknown> = Promise.resolve(); // one file at a time, however many elements a page has

/** A file that was checked, and its bytes. */
export interface Opened {
  glb: Glb;
  content: ArrayBuffer;
}

/**
 * Opens a GLB or VRM and checks it in a worker; a file of the visitor never leaves the browser.
 *
 * @param source a file, or the URL of one, of which no more than `LIMITS.bytes` are read.
 * @throws RangeError: one sentence on what is wrong with it.
 */
export async function openCharacter(source: Blob | string): Promise<Opened> {
  const content = typeof source === "string" ? await download(source) : await bytesOf(source);
  const check = line.then(() => checkApart(content));
  line = check.catch(() => undefined);
  return check;
}

async function checkApart(content: ArrayBuffer): Promise<Opened> {
  let worker: Worker;
  try {
    worker = new Worker(new URL("./glb.worker.js", import.meta.url), { type: "module" });
  } catch {
    // The page has another origin than the script; the limits hold all the same.
    return { glb: readGlb(content), content };
  }
  try {
    return await new Promise((resolve, reject) => {
      const fail = (message: string) => reject(new RangeError(message));
      const late = () => fail(`expected a file that is checked in ${SECONDS} seconds, got a slower one`);
      const timer = setTimeout(late, 1000 * SECONDS);
      worker.onmessage = ({ data: { glb, error, content } }) => {
        clearTimeout(timer);
        if (glb) resolve({ glb, content });
        else fail(error);
      };
      worker.onerror = ({ message }) => {
        clearTimeout(timer);
        fail(`expected glb.worker.js beside the script: ${message || "it is missing"}`);
      };
      worker.postMessage(content, [content]);
    });
  } finally {
    worker.terminate();
  }
}

async function bytesOf(file: Blob): Promise<ArrayBuffer> {
  if (file.size > LIMITS.bytes) throw tooLarge();
  return file.arrayBuffer();
}

async function download(url: string): Promise<ArrayBuffer> {
  const response = await fetch(url).catch(() => undefined);
  if (!response?.ok) throw new RangeError(`expected a character at ${url}, got ${response?.status ?? "no answer"}`);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const reader = response.body!.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    size += part.value.length;
    if (size > LIMITS.bytes) {
      await reader.cancel();
      throw tooLarge();
    }
    parts.push(part.value);
  }
  return new Blob(parts).arrayBuffer();
}

function tooLarge(): RangeError {
  return new RangeError(`expected a file of at most ${LIMITS.bytes / 1e6} MB, got a larger one`);
}
