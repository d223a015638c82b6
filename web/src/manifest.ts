import { TARGETS } from "./weights.ts";

/** Size in bytes and SHA-256 in hexadecimal digits of a file. */
export interface FileEntry {
  bytes: number;
  sha256: string;
}

/** What `face.json` of a folder says, which `emo3d export MODEL --onnx FOLDER` writes. */
export interface Manifest {
  format: string;
  generator: string;
  version: string;
  /** "int8" or "float32": how the weights of the network are kept. */
  precision: string;
  /** "weights", or "reading": then the graph calibrates what it answers to weights itself. */
  space: string;
  /** "tokens", or "embeddings" of a head alone. */
  input: string;
  blendshapes: string[];
  /** The window of the encoder in tokens, special ones included. */
  maxLength: number;
  takesStrength: boolean;
  readsInstructions: boolean;
  licence: string;
  files: Record<string, FileEntry>;
}

export const FORMAT = "emo3d-face-1";
/** Bytes that all files of a folder may have together: MiniLM has 93 MB in float32. */
export const LARGEST = 400e6;

/** Read the text of `face.json` at `address`; a RangeError says what is wrong with it. */
export function readManifest(text: string, address: string): Manifest {
  const expected = `expected a manifest of "emo3d export MODEL --onnx FOLDER" at ${address}`;
  let manifest: Manifest;
  try {
    manifest = JSON.parse(text) as Manifest;
  } catch {
    throw new RangeError(`${expected}, got no JSON but ${JSON.stringify(text.slice(0, 40))}`);
  }
  const field = wrongField(manifest);
  if (field) throw new RangeError(`${expected}, got ${field}`);
  for (const name of partsOf(manifest)) checkEntry(manifest.files[name], name, address);
  const bytes = totalOf(partsOf(manifest).map((name) => manifest.files[name]));
  if (bytes > LARGEST) throw new RangeError(`${expected} of at most ${LARGEST / 1e6} MB, got files of ${bytes} bytes`);
  return manifest;
}

/** Names of the files that an answer needs. */
export function partsOf(manifest: Manifest): string[] {
  const names = ["model.onnx", "tokenizer.json", "tokenizer_config.json"];
  return manifest.readsInstructions ? [...names, "instructions.json"] : names;
}

/** Bytes of all files together. */
export function totalOf(entries: FileEntry[]): number {
  return entries.reduce((sum, entry) => sum + entry.bytes, 0);
}

function wrongField(manifest: Manifest): string | undefined {
  if (typeof manifest !== "object" || manifest === null) return JSON.stringify(manifest);
  if (manifest.format !== FORMAT) return `the format ${JSON.stringify(manifest.format)} instead of "${FORMAT}"`;
  if (manifest.input === "embeddings") return "a head alone, which takes embeddings: export without --head";
  if (!["weights", "reading"].includes(manifest.space)) return `the space ${JSON.stringify(manifest.space)}`;
  const order = TARGETS.slice(0, 51).join();
  if (!Array.isArray(manifest.blendshapes) || manifest.blendshapes.join() !== order)
    return "blendshapes in another order than that of TARGETS";
  if (!(Number.isInteger(manifest.maxLength) && manifest.maxLength >= 8)) return `maxLength ${manifest.maxLength}`;
  if (typeof manifest.files !== "object" || manifest.files === null) return "no files";
  return undefined;
}

function checkEntry(entry: FileEntry | undefined, name: string, address: string): void {
  const isWhole = entry && Number.isInteger(entry.bytes) && entry.bytes > 0 && /^[0-9a-f]{64}$/.test(entry.sha256);
  if (!isWhole) throw new RangeError(`expected bytes and sha256 of ${name} in ${address}, got ${JSON.stringify(entry)}`);
}
