import type { Caching } from "./download.ts";
import type { Manifest } from "./manifest.ts";

/** What the page asks its worker for. */
export type Request =
  | { kind: "load"; id: number; base: string; caching: Caching; threads: number }
  | { kind: "express"; id: number; text: string; strength: number }
  | { kind: "interpret"; id: number; text: string };

/** What a worker answers: progress of a load, or the value or the error of a request. */
export type Reply =
  | { kind: "progress"; loaded: number; total: number }
  | { kind: "value"; id: number; value: unknown }
  | { kind: "error"; id: number; name: string; message: string };

/** What a loaded worker says of itself. */
export interface Loaded {
  manifest: Manifest;
  notes: string[];
  threads: number;
}

/** 51 or 52 weights and what is to be noted of the text. */
export interface Expression {
  values: Float64Array;
  notes: string[];
}
