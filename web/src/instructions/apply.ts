/** What instructions do to a face: the twin of Python's `emo3d.instructions`. */
import { TARGETS } from "../weights.ts";

/** What a description tells a part of the face to do. */
export interface Instruction {
  words: string; // as written
  weights: Record<string, number>; // blendshape -> weight in 0..1 that the face must have; 0: off
}

/** What pulls the same skin in opposite directions, or needs the mouth shut. */
export const OPPOSED: [string, string][] = `
  eyeBlink*-eyeWide* eyeSquint*-eyeWide* eyeLookUp*-eyeLookDown* eyeLookIn*-eyeLookOut* browOuterUp*-browDown*
  mouthSmile*-mouthFrown* mouthPress*-mouthLowerDown* mouthPress*-mouthUpperUp* mouthPress*-jawOpen
  mouthPucker-mouthStretch* mouthPucker-mouthSmile* mouthFunnel-mouthPress* mouthLeft-mouthRight jawLeft-jawRight
  jawOpen-mouthRollLower jawOpen-mouthShrugLower cheekPuff-jawOpen cheekPuff-mouthLowerDown* cheekPuff-mouthUpperUp*
  mouthRollLower-mouthLowerDown* mouthRollUpper-mouthUpperUp* mouthShrugLower-mouthLowerDown*
`
  .trim()
  .split(/\s+/)
  .flatMap((pair) => ["Left", "Right"].map((side) => pair.replaceAll("*", side).split("-") as [string, string]));

/**
 * Give a face what its instructions ask for; of two that contradict each other the later one holds.
 *
 * @param weights 51 or 52 numbers in 0..1 in the order of `TARGETS`, in the space of weights.
 * @param instructions those of `readInstructions`.
 * @param strength 0 or more, by which what is asked for is multiplied, up to 1.
 * @returns as many numbers. What is opposed to something asked for is at most 1 minus it, and mouthClose <= jawOpen.
 * @throws RangeError for another count of weights, or a strength below 0.
 */
export function applyInstructions(
  weights: ArrayLike<number>,
  instructions: readonly Instruction[],
  strength = 1,
): Float64Array {
  if (weights.length !== TARGETS.length && weights.length !== TARGETS.length - 1)
    throw new RangeError(`expected 51 weights, or 52 with tongueOut, got ${weights.length}`);
  if (!(strength >= 0)) throw new RangeError(`expected a strength of 0 or more, got ${strength}`);
  const places = new Map(TARGETS.map((name, place) => [name, place]));
  const asked: Record<string, number> = Object.assign({}, ...instructions.map((instruction) => instruction.weights));
  const targets = Object.entries(asked).map(([name, weight]) => [name, Math.min(strength * weight, 1)] as const);
  const target = new Map(targets);
  const result = Float64Array.from(weights);
  const limit = (name: string, most: number): void => {
    const place = places.get(name)!;
    result[place] = Math.min(result[place], most);
  };
  for (const [one, other] of OPPOSED) {
    limit(other, 1 - (target.get(one) ?? 0));
    limit(one, 1 - (target.get(other) ?? 0));
  }
  for (const [name, weight] of targets) result[places.get(name)!] = weight;
  limit("mouthClose", result[places.get("jawOpen")!]); // alone, it pulls the lips through each other
  return result;
}
