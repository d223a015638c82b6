export { Actor, type ActOptions, type ActorOptions, type Generator, type Line, readLine, type State } from "./actor.ts";
export { ActReader, readActs, type Segment } from "./acts.ts";
export { Animator, type AnimatorOptions } from "./animator.ts";
export { CHANNELS, Compositor, type CompositorOptions, ROTATIONS } from "./compositor.ts";
export { Face, type FaceOptions } from "./face.ts";
export type { Instruction, Interpretation } from "./instructions/index.ts";
export type { Manifest } from "./manifest.ts";
export { named, ordered, TARGETS, type Weights } from "./weights.ts";
