export { named, ordered, TARGETS, type Weights } from "./weights.ts";
