import { beside, folderOf } from "./addresses.ts";
import { checkDescription, checkStrength } from "./descriptions.ts";
import type { Caching } from "./download.ts";
import type { Interpretation } from "./instructions/index.ts";
import type { Manifest } from "./manifest.ts";
import type { Expression, Loaded, Reply, Request } from "./messages.ts";
import { named, type Weights } from "./weights.ts";
import { workerAt } from "./workers.ts";

/** How a model is loaded. */
export interface FaceOptions {
  /** "auto", the default, is "wasm": for one sentence it is the faster one (docs/web.md). */
  device?: "auto" | "wasm" | "webgpu";
  /** Threads of the runtime, 1 to 16; more than 1 need a page that is cross-origin isolated, and are 1 elsewhere. */
  threads?: number;
  /** `true`, the default, keeps all files for good; "refresh" asks whether the folder has changed; `false` keeps none. */
  cache?: Caching;
  /** Called with the bytes that are there and the bytes of all files. */
  onProgress?: (loaded: number, total: number) => void;
  /** Called with what is to be noted of a text; to the console by default, each note once. */
  onNote?: (note: string) => void;
  /** Folder that has the files of this package's `dist`, where they are not beside its script. */
  runtime?: string | URL;
  /** Stops the load; what came so far is thrown away. */
  signal?: AbortSignal;
}

const NOT_THERE = "its script did not load: name the folder with the package's dist as `runtime`";

interface Waiting {
  resolve: (value: never) => void;
  reject: (reason: unknown) => void;
}

// Without `id`, which `ask` gives it.
type Question = Request extends infer One ? (One extends Request ? Omit<One, "id"> : never) : never;

/** A model in a worker of its own: free text to the 52 weights of ARKit's blendshapes. */
export class Face {
  /** Which model it is. */
  readonly manifest: Manifest;
  /** What was to be noted of the load, such as files that could not be kept. */
  readonly notes: readonly string[];
  /** Threads that the runtime computes with. */
  readonly threads: number;

  private constructor(
    private readonly line: Line,
    loaded: Loaded,
    private readonly onNote: (note: string) => void,
  ) {
    this.manifest = loaded.manifest;
    this.notes = loaded.notes;
    this.threads = loaded.threads;
  }

  /**
   * Load a folder that `emo3d export MODEL --onnx FOLDER` wrote.
   *
   * @param url of the folder; a query of it goes along with every file
   * @throws RangeError for wrong options, a wrong manifest, or a file that is not what the manifest says; Error for a
   *   file that is not there, a device that is not there, or a worker that does not start
   */
  static async load(url: string | URL, options: FaceOptions = {}): Promise<Face> {
    const { device = "auto", threads = defaultThreads(), cache = true, signal } = options;
    if (!["auto", "wasm", "webgpu"].includes(device))
      throw new RangeError(`expected a device of "auto", "wasm" or "webgpu", got ${JSON.stringify(device)}`);
    if (!(Number.isInteger(threads) && threads >= 1 && threads <= 16))
      throw new RangeError(`expected threads of 1 to 16, got ${threads}`);
    if (![true, false, "refresh"].includes(cache))
      throw new RangeError(`expected a cache of true, false or "refresh", got ${JSON.stringify(cache)}`);
    signal?.throwIfAborted();
    const line = new Line(startWorker(device === "webgpu", options.runtime), options.onProgress);
    const abort = () => line.close(signal?.reason);
    signal?.addEventListener("abort", abort);
    try {
      const loaded = await line.ask<Loaded>({ kind: "load", base: folderOf(url), caching: cache, threads });
      return new Face(line, loaded, options.onNote ?? warnOnce());
    } catch (error) {
      line.close(error);
      throw error;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  /**
   * The weights of a description, 52 names to numbers in 0..1.
   *
   * @param text English, of at most 2,000 characters
   * @param options strength from 0 (at rest) to 1.5; other than 1 for a model that learnt it
   * @throws RangeError for what is no description and for a strength out of range; Error where the face was closed
   */
  async express(text: string, { strength = 1 }: { strength?: number } = {}): Promise<Weights> {
    checkDescription(text); // here, so that a text of any length never goes to the worker
    checkStrength(strength, this.manifest.takesStrength);
    const { values, notes } = await this.line.ask<Expression>({ kind: "express", text, strength });
    notes.forEach(this.onNote);
    return named(values);
  }

  /** What a description is understood as: instructions, the rest that the encoder reads, and notes. */
  async interpret(text: string): Promise<Interpretation> {
    checkDescription(text);
    return this.line.ask<Interpretation>({ kind: "interpret", text });
  }

  /** End the worker; what still waits is rejected. */
  close(): void {
    this.line.close(new Error("the face was closed: load it again"));
  }
}

/** Requests to a worker and its replies. */
class Line {
  private readonly waiting = new Map<number, Waiting>();
  private count = 0;
  private end: unknown;

  constructor(
    private readonly worker: Worker,
    private readonly onProgress: FaceOptions["onProgress"],
  ) {
    worker.onmessage = ({ data }: MessageEvent<Reply>) => this.receive(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.close(new Error(`the face's worker stopped (${event.message || NOT_THERE}): load it again`));
    };
    worker.onmessageerror = () => this.close(new Error("the face's worker sent what cannot be read: load it again"));
  }

  ask<Value>(question: Question): Promise<Value> {
    if (this.end) return Promise.reject(this.end);
    const id = ++this.count;
    return new Promise<Value>((resolve, reject) => {
      this.waiting.set(id, { resolve, reject });
      this.worker.postMessage({ ...question, id });
    });
  }

  close(reason: unknown): void {
    this.end ??= reason;
    this.worker.terminate();
    for (const { reject } of this.waiting.values()) reject(this.end);
    this.waiting.clear();
  }

  private receive(reply: Reply): void {
    if (reply.kind === "progress") return this.onProgress?.(reply.loaded, reply.total);
    const place = this.waiting.get(reply.id);
    this.waiting.delete(reply.id);
    if (reply.kind === "value") return place?.resolve(reply.value as never);
    place?.reject(new (reply.name === "RangeError" ? RangeError : Error)(reply.message));
  }
}

function startWorker(isOnGpu: boolean, runtime: string | URL | undefined): Worker {
  const name = isOnGpu ? "worker-webgpu.js" : "worker.js";
  if (runtime) return workerAt(beside(name, folderOf(runtime)));
  try {
    // Written out twice, options too, since bundlers look for exactly this.
    if (isOnGpu) return new Worker(new URL("./worker-webgpu.js", import.meta.url), { type: "module" });
    return new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  } catch {
    return workerAt(import.meta.url.replace(/[^/]*$/, name)); // this script is of another host
  }
}

function defaultThreads(): number {
  return Math.min(4, Math.max(1, (navigator.hardwareConcurrency ?? 2) >> 1));
}

function warnOnce(): (note: string) => void {
  const told = new Set<string>();
  return (note) => {
    if (told.has(note) || told.size >= 100) return;
    told.add(note);
    console.warn(`emo3d: ${note}`);
  };
}
