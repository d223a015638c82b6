import { SPACE, trim } from "./instructions/text.ts";
import type { TextTokenizer } from "./tokens.ts";

/** Characters that a description may have. */
export const LONGEST = 2000;

/** Refuse what is no description: no string, blank, of more than 2,000 characters, or not well formed. */
export function checkDescription(text: unknown): asserts text is string {
  if (typeof text !== "string") throw new RangeError(`expected a description as a string, got ${typeof text}`);
  // Counted as Python does, but only where that can matter: a character is at most two units.
  const length = text.length > 2 * LONGEST ? text.length : text.length > LONGEST ? [...text].length : 0;
  if (length > LONGEST)
    throw new RangeError(`expected a description of at most ${LONGEST} characters, got ${length}: act it in parts`);
  if (!trim(text)) throw new RangeError(`expected a description, got ${JSON.stringify(text)}, which is blank`);
  if (/\p{Surrogate}/u.test(text)) throw new RangeError("expected a description in Unicode, got half a surrogate pair");
}

/** Refuse a strength beyond 0..1.5, and any but 1 for a network that learnt no other. */
export function checkStrength(strength: unknown, isLearnt: boolean): asserts strength is number {
  const isInRange = typeof strength === "number" && strength >= 0 && strength <= 1.5;
  if (isInRange && (strength === 1 || isLearnt)) return;
  const expected = isLearnt ? "of 0 to 1.5" : "of 1, since this model learnt no other";
  throw new RangeError(`expected a strength ${expected}, got ${String(strength)}`);
}

const MARKS = new RegExp(`[^\\p{L}\\p{N}_${SPACE}]|\\p{Nd}+`, "gu");
const MULTILINGUAL = 100_000;
const ENGLISH = new Set(
  (
    "a an and are but by from had have he her him his my not of or she that the their they this were who with you " +
    "your it its"
  ).split(" "),
);

/** Whether an encoder of English hardly knows the words: the twin of `is_foreign` of Python, which gives the reasons. */
export function isForeign(text: string, ids: number[], tokenizer: TextTokenizer): boolean {
  if (tokenizer.vocabularySize >= MULTILINGUAL) return false;
  const plain = ids.filter((id) => id === tokenizer.unknown || !tokenizer.special.has(id));
  const letters = text.match(/\p{L}/gu)?.length ?? 0;
  const latin = text.match(/(?=\p{L})\p{Script=Latin}/gu)?.length ?? 0;
  if (2 * plain.filter((id) => id === tokenizer.unknown).length > plain.length || 2 * latin <= letters) return true;
  const words = text.match(/[\p{L}\p{Nl}\p{No}]+/gu) ?? [];
  const english = words.filter((word) => ENGLISH.has(word.toLowerCase())).length;
  if (words.length < 3 || english >= 0.12 * words.length) return false;
  const marks = text.match(MARKS)?.length ?? 0;
  return plain.length - marks >= 1.8 * words.length;
}
