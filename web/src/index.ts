export { Face, type FaceOptions } from "./face.ts";
export type { Instruction, Interpretation } from "./instructions/index.ts";
export type { Manifest } from "./manifest.ts";
export { named, ordered, TARGETS, type Weights } from "./weights.ts";
