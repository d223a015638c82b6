import { LIMITS, readGlb, type Glb } from "./glb.ts";

/** A file that was checked, and its bytes. */
export interface Opened {
  glb: Glb;
  content: ArrayBuffer;
}

/**
 * Opens a GLB or VRM and checks it in a worker; a file of the visitor never leaves the browser.
 *
 * @param source a file, or the URL of one, of which no more than `LIMITS.bytes` are read.
 * @param seconds after which the check is given up.
 * @throws RangeError: one sentence on what is wrong with it.
 */
export async function openCharacter(source: Blob | string, seconds = 5): Promise<Opened> {
  const content = typeof source === "string" ? await download(source) : await bytesOf(source);
  let worker: Worker;
  try {
    worker = new Worker(new URL("./glb.worker.js", import.meta.url), { type: "module" });
  } catch {
    return { glb: readGlb(content), content }; // a page of another origin than the script's; the limits hold all the same
  }
  try {
    return await new Promise((resolve, reject) => {
      const late = () => reject(new RangeError(`expected a file that is checked in ${seconds} seconds, got a slower one`));
      const timer = setTimeout(late, 1000 * seconds);
      worker.onmessage = ({ data: { glb, error, content } }) => {
        clearTimeout(timer);
        if (glb) resolve({ glb, content });
        else reject(new RangeError(error));
      };
      worker.onerror = (event) => {
        clearTimeout(timer);
        reject(new RangeError(`expected ${event.filename || "glb.worker.js"} beside the script: ${event.message || "it is missing"}`));
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
