/** Emoji and other symbols, written as their names. */
import { ALNUM, quoted, SPACE, trim, trimEnd, WORD } from "./text.ts";
import type { Vocabulary } from "./vocabulary.ts";

const SYMBOL = new RegExp(
  `[\\u2600-\\u27bf\\u2b00-\\u2bff\\u{1f000}-\\u{1faff}]|(?<![^${SPACE}])[:;]-?'?[()DO](?![${WORD}])`,
  "gu",
);
/** Joiner, variants, skin tones, letters of flags. */
const INVISIBLE = /[\u200d\ufe0e\ufe0f\u{1f3fb}-\u{1f3ff}\u{1f1e6}-\u{1f1ff}]/gu;
const FIRST = new RegExp(`^[${ALNUM}]`, "u");
const LAST = new RegExp(`[${ALNUM}]$`, "u");

/** A text with the names of its symbols, where these are as [start, end), and how each symbol was read. */
export interface Spelling {
  text: string;
  spans: [number, number][];
  notes: string[];
}

/** Write the symbols of a description as their names, each once. */
export function spellSymbols(description: string, vocabulary: Vocabulary): Spelling {
  let [text, end] = ["", 0];
  const spans: [number, number][] = [];
  const names = new Map<string, string>();
  const plain = description.replaceAll("’", "'").replace(INVISIBLE, "");
  for (const match of plain.matchAll(SYMBOL)) {
    const symbol = match[0];
    text = trimEnd(text + plain.slice(end, match.index));
    end = match.index + symbol.length;
    if (names.has(symbol)) continue;
    const name = vocabulary.symbols.get(symbol) ?? "";
    names.set(symbol, name);
    text += LAST.test(text.slice(-2)) ? ", " : text ? " " : "";
    spans.push([text.length, text.length + name.length]);
    text += name;
  }
  const after = trim(plain.slice(end));
  const notes = [...names].map(([symbol, name]) => `read ${symbol} as ${quoted(name)}`);
  return { text: spans.length ? text + (FIRST.test(after) ? ", " : "") + after : plain, spans, notes };
}

/** The script of a letter, by the first word of its name in Unicode. */
export function scriptName(letter: string, vocabulary: Vocabulary): string {
  const { letters } = vocabulary;
  const code = letter.codePointAt(0)!;
  let [low, high] = [0, letters.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (letters[middle][0] <= code) low = middle;
    else high = middle;
  }
  return letters[low][1];
}
