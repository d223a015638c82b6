import { beside } from "./addresses.ts";
import { type FileEntry, type Manifest, partsOf, readManifest, totalOf } from "./manifest.ts";

const CACHE = "emo3d-face-1";
const LARGEST_MANIFEST = 1e6;

/** How files are kept: `true` for good, "refresh" asks the server for the manifest again, `false` not at all. */
export type Caching = boolean | "refresh";

/** A file with its address and what it has to be. */
export interface Part {
  name: string;
  address: string;
  entry: FileEntry;
}

/** Files of a folder, checked by size and SHA-256, kept in the browser's Cache API. */
export class Download {
  /** What could not be done, such as keeping the files. */
  readonly notes: string[] = [];
  private loaded = 0;
  private total = 0;

  /**
   * @param caching see `Caching`
   * @param onProgress called with the bytes that are there and the bytes of all files
   */
  constructor(
    private readonly caching: Caching,
    private readonly onProgress: (loaded: number, total: number) => void,
  ) {
    if (!globalThis.crypto?.subtle)
      throw new Error("expected a page over https or from localhost, where files can be checked by SHA-256, got neither");
  }

  /** The manifest of the folder at `base`, whose address ends in a slash. */
  async manifest(base: string): Promise<Manifest> {
    const address = beside("face.json", base);
    const kept = this.caching === true ? await this.kept(address) : undefined;
    if (kept) {
      try {
        return readManifest(new TextDecoder().decode(kept), address);
      } catch {} // what an older version of this package kept is asked for again
    }
    const bytes = await fetchBytes("face.json", address, LARGEST_MANIFEST, () => {});
    const manifest = readManifest(new TextDecoder().decode(bytes), address);
    await this.keep(address, bytes);
    return manifest;
  }

  /** All files of a folder, by name, and others beside them. */
  async files(base: string, manifest: Manifest, others: Part[]): Promise<Map<string, Uint8Array<ArrayBuffer>>> {
    const parts = partsOf(manifest).map((name) => ({ name, address: beside(name, base), entry: manifest.files[name] }));
    const all = [...parts, ...others];
    this.total = totalOf(all.map((part) => part.entry));
    return new Map(await Promise.all(all.map(async (part) => [part.name, await this.file(part)] as const)));
  }

  private async file(part: Part): Promise<Uint8Array<ArrayBuffer>> {
    const { name, address, entry } = part;
    const kept = this.caching ? await this.kept(address) : undefined;
    if (kept && kept.length === entry.bytes && (await sha256(kept)) === entry.sha256) {
      this.count(kept.length);
      return kept;
    }
    const bytes = await fetchBytes(name, address, entry.bytes, (count) => this.count(count));
    const digest = await sha256(bytes);
    if (bytes.length !== entry.bytes || digest !== entry.sha256) {
      await this.forget(beside("face.json", address)); // so that another load sees what the folder has become
      throw new RangeError(
        `expected ${name} of ${entry.bytes} bytes with sha256 ${entry.sha256}, ` +
          `got ${bytes.length} bytes with ${digest} from ${address}: export the folder again, or load it again`,
      );
    }
    await this.keep(address, bytes);
    return bytes;
  }

  private count(bytes: number): void {
    this.loaded += bytes;
    this.onProgress(Math.min(this.loaded, this.total), this.total);
  }

  private async kept(address: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    try {
      const answer = await (await caches.open(CACHE)).match(address);
      return answer && new Uint8Array(await answer.arrayBuffer());
    } catch {
      return undefined; // where the user forbids storage, or it is broken
    }
  }

  private async forget(address: string): Promise<void> {
    if (this.caching) await caches.open(CACHE).then((cache) => cache.delete(address), () => undefined);
  }

  private async keep(address: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    if (!this.caching) return;
    try {
      await (await caches.open(CACHE)).put(address, new Response(bytes));
    } catch (error) {
      this.notes.push(`${address} is not kept for the next visit: ${(error as Error).message}`);
    }
  }
}

/** SHA-256 in hexadecimal digits. */
async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Bytes at an address, at most `limit`; an Error names the file that is not there, a RangeError one too large. */
async function fetchBytes(
  name: string,
  address: string,
  limit: number,
  onBytes: (count: number) => void,
): Promise<Uint8Array<ArrayBuffer>> {
  const answer = await fetch(address).catch((error: Error) => {
    throw new Error(`expected ${name} at ${address}, got no answer: ${error.message}`);
  });
  if (!answer.ok || !answer.body) throw new Error(`expected ${name} at ${address}, got HTTP ${answer.status}`);
  const bytes = new Uint8Array(limit);
  const reader = answer.body.getReader();
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read().catch((error: Error) => {
      throw new Error(`expected the whole of ${name} from ${address}, got its beginning: ${error.message}`);
    });
    if (done) return bytes.subarray(0, length);
    if (length + value.length > limit) {
      await reader.cancel();
      throw new RangeError(`expected ${name} of at most ${limit} bytes at ${address}, got more`);
    }
    bytes.set(value, length);
    length += value.length;
    onBytes(value.length);
  }
}
