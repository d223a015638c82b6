/** Strings as Python's `re` and `str` take them: letters, digits and spaces of all scripts, and both cases. */

/** Classes of Unicode for the inside of brackets: a letter or digit, one of a word, a space. */
export const ALNUM = "\\p{L}\\p{N}";
export const WORD = `${ALNUM}_`;
export const SPACE = "\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
/** Before and after a word. */
export const START = `(?<![${WORD}])`;
export const END = `(?![${WORD}])`;

const FIRST = new RegExp(`^[${SPACE}]+`, "u");
const SPACES = new RegExp(`[${SPACE}]+`, "gu");
const NAMED: Record<string, string> = { "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r" };

/** A text without spaces at its end. */
export function trimEnd(text: string): string {
  let end = text.length;
  while (end && FIRST.test(text[end - 1])) end -= 1;
  return text.slice(0, end);
}

/** A text without spaces around it. */
export const trim = (text: string): string => trimEnd(text.replace(FIRST, ""));

/** The words of a text with one space between them. */
export const joined = (text: string): string => trim(text).replace(SPACES, " ");

/** A text, as long as before, with a to z for the letters that Python takes for these, whatever their case. */
export function folded(text: string): string {
  const others: Record<string, string> = { "\u0130": "i", "\u0131": "i", "\u017f": "s", "\u212a": "k" };
  return text.replace(/[A-Z\u0130\u0131\u017f\u212a]/g, (char) => others[char] ?? char.toLowerCase());
}

/** A text with 0 to 9 for the digits of any script. */
export function westernDigits(text: string): string {
  return text.replace(/\p{Nd}/gu, (char) => {
    const code = char.codePointAt(0)!;
    let first = code; // scripts lie next to each other, each from its zero
    while (/\p{Nd}/u.test(String.fromCodePoint(first - 1))) first -= 1;
    return String((code - first) % 10);
  });
}

/** A text in quotes, as Python prints it. */
export function quoted(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text.replace(/(?! )[\p{C}\p{Z}]|[\\'"]/gu, (char) => {
    if (NAMED[char] || char === mark) return NAMED[char] ?? `\\${char}`;
    if (char === "'" || char === '"') return char;
    const code = char.codePointAt(0)!.toString(16);
    if (code.length < 3) return `\\x${code.padStart(2, "0")}`;
    return code.length < 5 ? `\\u${code.padStart(4, "0")}` : `\\U${code.padStart(8, "0")}`;
  });
  return mark + escaped + mark;
}

/** A number of 0 or more to three decimals, halves to the even one: these are odd numbers of sixteenths. */
export function rounded(value: number): number {
  const below = Math.floor(value * 1000);
  return (value * 16) % 2 === 1 ? (below + (below % 2)) / 1000 : Number(value.toFixed(3));
}
