export { applyInstructions, type Instruction, OPPOSED } from "./apply.ts";
export { type Interpretation, readInstructions } from "./reading.ts";
export type { Table } from "./vocabulary.ts";
