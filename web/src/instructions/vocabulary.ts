/** The words of physical instructions, of the table that Python's `emo3d_lab.instructions.portable` writes. */

/** What verbs and directions do to a part of the face. */
export interface Row {
  verbs: Set<string>; // and directions, as ">up"
  strength: number;
  targets: [pattern: string, share: number, alone: number][]; // share of the strength, and that on one side alone
  flags: string;
}

/** A phrase as choices of words, its tag ("" of an idiom) and its value. */
export type Phrase = [choices: string[][], tag: string, value: string];

/** The table as its JSON file has it. */
export interface Table {
  format: string;
  rows: Record<string, [string, number, [string, number, number][], string][]>;
  phrases: Record<string, [string, string, string][]>;
  tags: Record<string, string>;
  forms: Record<string, string>;
  words: Record<"look" | "move" | "shape" | "verbs", string>;
  emoji: Record<string, string>;
  symbols: [number, string][];
  letters: [number, string][];
}

/** The table with its words at hand. */
export type Vocabulary = ReturnType<typeof makeVocabulary>;

/** A word or a phrase of a description. */
export class Token {
  side = "";
  place = 0;
  segment = 0;
  run = 0; // of tokens that may belong together
  directions: string[] = [];
  strength: number | undefined;
  single = false; // an eye
  only = false; // of two
  pronoun = false; // "the right one"
  negated = false;
  around: Token[] = []; // its sides, degrees, directions and negations
  used = false;
  kept = false; // the encoder reads its segment as well

  constructor(
    public text: string,
    public start: number,
    public end: number,
    public tag = "x",
    public value = "",
  ) {}
}

export const FORMAT = "emo3d-instructions-1";
export const BOTH = ["Left", "Right"];
const OTHER = new Map([
  ["left", "right"],
  ["right", "left"],
]);

/** Whether a word is left or right. */
export const isSide = (word: string): boolean => OTHER.has(word);

/** The other one of left and right; any other word as it is. */
export const otherSide = (word: string, otherwise = word): string => OTHER.get(word) ?? otherwise;

/** The kinds of tokens as letters, on which patterns work. */
export const tagsOf = (tokens: readonly Token[]): string => tokens.map((token) => token.tag).join("");

const known = new WeakMap<Table, Vocabulary>();
const words = (listed: string): string[] => listed.split(" ");

/** The words of a table; a RangeError if it is none. */
export function vocabularyOf(table: Table): Vocabulary {
  let vocabulary = known.get(table);
  if (!vocabulary) known.set(table, (vocabulary = makeVocabulary(table)));
  return vocabulary;
}

function makeVocabulary(table: Table) {
  if (table.format !== FORMAT)
    throw new RangeError(`expected a table of instructions of format ${FORMAT}, got ${JSON.stringify(table.format)}`);
  const entries = Object.entries(table.rows).map(([part, rows]): [string, Row[]] => [
    part,
    rows.map(([verbs, strength, targets, flags]) => ({ verbs: new Set(words(verbs)), strength, targets, flags })),
  ]);
  const phrases = new Map<string, Phrase[]>();
  for (const [first, listed] of Object.entries({ "&": [], ...table.phrases })) {
    const all = first === "&" ? listed : [...listed, ...(table.phrases["&"] ?? [])]; // & is any word
    phrases.set(first, all.map(([text, tag, value]) => [words(text).map((choice) => choice.split("/")), tag, value]));
  }
  const tags = new Map<string, string>();
  for (const [tag, listed] of Object.entries(table.tags)) for (const word of words(listed)) tags.set(word, tag);
  const symbols = new Map<string, string>();
  for (const [first, names] of table.symbols)
    names.split("|").forEach((name, place) => symbols.set(String.fromCodePoint(first + place), name));
  for (const [symbol, name] of Object.entries(table.emoji)) symbols.set(symbol, name);
  return {
    rows: new Map(entries),
    phrases,
    tags,
    bases: new Set([...tags.keys(), ...[...phrases.values()].flat().flatMap(([choices]) => choices.flat())]),
    forms: new Map(Object.entries(table.forms)),
    look: new Set(words(table.words.look)),
    move: new Set(["", ...words(table.words.move)]),
    shape: new Set(words(table.words.shape)),
    verbs: new Set(words(table.words.verbs)),
    symbols,
    letters: table.letters,
  };
}
