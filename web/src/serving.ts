import type * as Runtime from "onnxruntime-web";
import { Download, type Part } from "./download.ts";
import type { Table } from "./instructions/index.ts";
import type { FileEntry } from "./manifest.ts";
import type { Loaded, Reply, Request } from "./messages.ts";
import { Model } from "./model.ts";
import { TextTokenizer } from "./tokens.ts";

/** The runtime of ONNX of a worker: its library, its script, and its WebAssembly, which is packed by gzip. */
export interface RuntimeFiles {
  library: typeof Runtime;
  script: URL;
  binary: URL;
  entry: FileEntry;
  provider: "wasm" | "webgpu";
}

// The browser optimises the runtime while it runs: until then a sentence takes twice as long (docs/web.md).
const WARM_RUNS = 80;
const WARM_TIME = 10_000; // ms at most

const scope = globalThis as unknown as DedicatedWorkerGlobalScope;

/** Answer the requests of a page, one after the other in their order. */
export function serve(files: RuntimeFiles): void {
  let model: Model | undefined;
  let last: Promise<void> = Promise.resolve();
  let waiting = 0;
  // A run at a time, while nothing waits; in the line of requests, since a session runs once at a time.
  const warmUp = async (opened: Model): Promise<void> => {
    const end = performance.now() + WARM_TIME;
    for (let run = 0; run < WARM_RUNS && performance.now() < end; run++) {
      await new Promise((resolve) => setTimeout(resolve));
      if (waiting) continue;
      last = last.then(() => opened.warmUp()).catch(() => {}); // what is wrong, the next request says
      await last;
    }
  };
  const answer = async (request: Request): Promise<unknown> => {
    if (request.kind === "load") {
      const { loaded, opened } = await open(files, request);
      model = opened;
      if (files.provider === "wasm") void warmUp(opened);
      return loaded;
    }
    if (!model) throw new Error("expected the model to be loaded first");
    return request.kind === "express" ? model.express(request.text, request.strength) : model.interpret(request.text);
  };
  scope.onmessage = ({ data }: MessageEvent<Request>) => {
    waiting += 1;
    last = last.then(async () => {
      try {
        reply({ kind: "value", id: data.id, value: await answer(data) });
      } catch (error) {
        const { name, message } = error as Error;
        reply({ kind: "error", id: data.id, name, message });
      } finally {
        waiting -= 1;
      }
    });
  };
}

function reply(message: Reply): void {
  scope.postMessage(message);
}

async function open(
  files: RuntimeFiles,
  request: Extract<Request, { kind: "load" }>,
): Promise<{ loaded: Loaded; opened: Model }> {
  const { library, provider } = files;
  if (provider === "webgpu") await checkAdapter();
  const download = new Download(request.caching, (loaded, total) => reply({ kind: "progress", loaded, total }));
  const manifest = await download.manifest(request.base);
  const binary: Part = { name: "the runtime", address: files.binary.href, entry: files.entry };
  const parts = await download.files(request.base, manifest, [binary]);
  const bytes = (name: string) => parts.get(name) as Uint8Array<ArrayBuffer>;
  const json = (name: string) => JSON.parse(new TextDecoder().decode(bytes(name))) as object;

  const flags = library.env.wasm;
  flags.numThreads = scope.crossOriginIsolated ? request.threads : 1;
  flags.wasmPaths = { mjs: files.script.href };
  flags.wasmBinary = await unpack(bytes(binary.name));
  const session = await library.InferenceSession.create(bytes("model.onnx"), {
    executionProviders: [provider],
    graphOptimizationLevel: "all",
    logSeverityLevel: 3,
  }).catch((error: Error) => {
    if (error.message.includes("backend")) throw new Error(`the runtime of ONNX did not start: ${error.message}`);
    throw new RangeError(`expected model.onnx as a graph of ONNX, got what the runtime refuses: ${error.message}`);
  });
  const tokenizer = new TextTokenizer(json("tokenizer.json"), json("tokenizer_config.json"), manifest.maxLength);
  const table = manifest.readsInstructions ? (json("instructions.json") as Table) : undefined;
  const loaded = { manifest, notes: download.notes, threads: flags.numThreads };
  return { loaded, opened: new Model(manifest, tokenizer, session, library.Tensor, table) };
}

async function unpack(bytes: Uint8Array<ArrayBuffer>): Promise<ArrayBuffer> {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

async function checkAdapter(): Promise<void> {
  const { gpu } = navigator as unknown as { gpu?: { requestAdapter(): Promise<object | null> } };
  if (!gpu || !(await gpu.requestAdapter()))
    throw new Error('expected a browser with WebGPU and an adapter, got none: load with {device: "wasm"}');
}
