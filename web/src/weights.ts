/** The 52 blendshapes of ARKit: 51 in the order of Python's `BLENDSHAPES`, then `tongueOut`. */
export const TARGETS = `
  browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft
  cheekSquintRight eyeBlinkLeft eyeBlinkRight eyeLookDownLeft eyeLookDownRight eyeLookInLeft eyeLookInRight
  eyeLookOutLeft eyeLookOutRight eyeLookUpLeft eyeLookUpRight eyeSquintLeft eyeSquintRight eyeWideLeft
  eyeWideRight jawForward jawLeft jawOpen jawRight mouthClose mouthDimpleLeft mouthDimpleRight mouthFrownLeft
  mouthFrownRight mouthFunnel mouthLeft mouthLowerDownLeft mouthLowerDownRight mouthPressLeft mouthPressRight
  mouthPucker mouthRight mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthSmileLeft
  mouthSmileRight mouthStretchLeft mouthStretchRight mouthUpperUpLeft mouthUpperUpRight noseSneerLeft
  noseSneerRight tongueOut
`
  .trim()
  .split(/\s+/);

/** Weight in 0..1 of each of the 52 blendshapes, by its name in ARKit. */
export type Weights = Record<string, number>;

/** 52 numbers in the order of `TARGETS`, by name. */
export function named(values: ArrayLike<number>): Weights {
  return Object.fromEntries(TARGETS.map((name, place) => [name, values[place] ?? 0]));
}

/**
 * Named weights as 52 numbers in the order of `TARGETS`; what is left out is 0.
 *
 * @throws RangeError for an unknown name, no number in 0..1, and what is no object of names, such as a Promise
 */
export function ordered(weights: Weights): Float64Array {
  const kind = Object.prototype.toString.call(weights).slice(8, -1);
  if (kind !== "Object") throw new RangeError(`expected weights by name, got ${kind}`);
  const values = new Float64Array(TARGETS.length);
  for (const [name, weight] of Object.entries(weights)) {
    const place = TARGETS.indexOf(name);
    if (place < 0) throw new RangeError(`expected names of ARKit's 52 blendshapes, got ${JSON.stringify(name)}`);
    if (!(typeof weight === "number" && weight >= 0 && weight <= 1))
      throw new RangeError(`expected a weight in 0..1 of ${name}, got ${typeof weight === "string" ? JSON.stringify(weight) : weight}`);
    values[place] = weight;
  }
  return values;
}
