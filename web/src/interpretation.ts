/** What a description tells a part of the face to do. */
export interface Instruction {
  /** As written. */
  words: string;
  /** Blendshape -> weight in 0..1 that the face must have; 0: off. */
  weights: Record<string, number>;
}

/** What a description is understood as. */
export interface Interpretation {
  /** For the encoder; "" where nothing of meaning is left. */
  rest: string;
  instructions: Instruction[];
  /** How symbols were read, what has no blendshape, and what the encoder hardly knows or does not get. */
  notes: string[];
}
