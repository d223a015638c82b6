/**
 * Descriptions cut into tokens that know what belongs to them: sides, directions, degrees and negations.
 *
 * A token has a letter for its kind, on which patterns work; commas, conjunctions and `with` cut a description into
 * segments. The twin of Python's `emo3d_lab.instructions.tokens`.
 */
import { attachSide, carrySides, gazeVerb, joinParts, runOf, tellSides } from "./sides.ts";
import { END, folded, SPACE, WORD, westernDigits } from "./text.ts";
import { isSide, tagsOf, Token, type Vocabulary } from "./vocabulary.ts";

const WORDS = new RegExp(
  `[a-z]+(?=n't${END})|n't${END}|'[a-z]+${END}|[\\p{L}\\p{Nl}\\p{No}]+` +
    `|\\p{Nd}+(?:\\.\\p{Nd}+)?[${SPACE}]?(?:%|percent${END})|\\p{Nd}+` +
    `|(?<=[${SPACE}])-(?=[${SPACE}])|[^${WORD}${SPACE}-]`,
  "gu",
);
const QUOTED = new RegExp(`["'“]([${WORD}])["'”]`, "gu"); // "O" is a shape
const PERCENT = new RegExp(`^([\\p{Nd}.]+)[${SPACE}]?(%|percent)$`, "u");
const ADJECTIVES = /d[SGV]*(x{1,2})(?=[SGVy]*P)|Pa?(x)(?=[VD])/g; // "her tired eyes"; also "her eyes fluttered shut"
/** "opens the door", "the raised hand": a verb of something else. "He eyes the door", "a hand to her lips": no part. */
const FOREIGN =
  /V(?=D?d[SGpl]*x+(?![xP]))|(?<![Paly])V(?=x+(?![xP]))|(?<=[wt])P|(?<=t[dSGpl])P|(?<=t[dSGpl]{2})P/g;
const ENDINGS = ["s", "es", "d", "ed", "ing", "n", "er"];
const HIGH = new Map([["upper", "up"], ["top", "up"], ["lower", "down"], ["bottom", "down"]]); // to the upper left

/** The form in which the table has a word; the word itself if it has none. */
function baseOf(word: string, { forms, bases }: Vocabulary): string {
  const form = forms.get(word);
  if (form !== undefined) return form;
  const stems = [word];
  for (const end of ENDINGS) if (word.endsWith(end)) stems.push(word.slice(0, -end.length));
  for (const stem of [...stems]) if (stem.at(-2) === stem.at(-1)) stems.push(stem.slice(0, -1));
  if (word.endsWith("ing")) stems.push(`${word.slice(0, -3)}e`);
  return stems.find((stem) => bases.has(stem)) ?? word;
}

/** Length, tag and value of the longest phrase of the table at a place; an idiom has no tag. */
function phraseAt(
  words: readonly string[],
  bases: readonly string[],
  place: number,
  { phrases, tags, shape }: Vocabulary,
): [number, string, string] {
  const base = bases[place];
  for (const [choices, tag, value] of phrases.get(base) ?? phrases.get("&")!) {
    let at: number = place;
    const fits = choices.every((choice) => {
      if (choice.length === 1 && choice[0] === "_") {
        for (let k = at; k < Math.min(at + 6, words.length); k += 1)
          if (words[k] === "'s" || words[k] === "'") {
            at = k + 1; // "the corner of the old woman's mouth"
            break;
          }
        while (at < words.length && (["d", "S"].includes(tags.get(bases[at]) ?? "") || shape.has(words[at]))) at += 1;
        return true;
      }
      if (at >= words.length) return false;
      const any = choice.length === 1 && choice[0] === "&" && "xpw".includes(tags.get(base) ?? "x");
      if (!any && !choice.includes(words[at]) && !choice.includes(bases[at])) return false;
      at += 1;
      return true;
    });
    if (fits) return [at - place, tag, value];
  }
  const percent = PERCENT.exec(words[place]);
  if (percent) return [1, "G", String(Math.min(Number(westernDigits(percent[1])) / 100, 1))];
  return [1, tags.get(base) ?? (words[place].endsWith("ly") ? "y" : "x"), base];
}

/** Words and phrases with what belongs to each part and each verb. */
export function readTokens(text: string, vocabulary: Vocabulary): Token[] {
  const tokens = cut(text, vocabulary);
  tokens.forEach((token, place) => {
    const next = tokens[place + 1]; // "pulls her lips in"
    if (token.text === "in" && (!next || "c.".includes(next.tag))) [token.tag, token.value] = ["D", "inward"];
  });
  if (tokens[0]?.value === "open" && tokens[1]?.value === "wide" && tokens.every((token) => token.tag !== "P"))
    tokens[0].value = "ah"; // of a mouth
  joinParts(tokens);
  tellSides(text, tokens);
  const tags = tagsOf(tokens);
  const inner = new Set<number>();
  for (const match of tags.matchAll(ADJECTIVES)) {
    const end = match.index + match[0].length;
    for (let place = end - (match[1] ?? match[2]).length; place < end; place += 1) inner.add(place);
  }
  let [segment, run] = [0, 0];
  tokens.forEach((token, place) => {
    const colon = token.text === ":" && tags[place - 1] === "P"; // "mouth: open"
    if ("c.".includes(token.tag) && !colon) segment += 1;
    if (token.tag === "." || (token.tag === "x" && !inner.has(place))) run += 1;
    Object.assign(token, { place, segment, run });
  });
  for (const { index } of tags.matchAll(FOREIGN)) {
    const verb = tokens[index];
    const near = tokens.slice(Math.max(index - 2, 0), index).map((token) => token.value);
    const looks = vocabulary.look.has(verb.value) && tags[index + 1] !== "D"; // "looks up the word"
    if (!looks && !(verb.tag === "V" && (near.includes("eye") || near.includes("gaze")))) verb.tag = "x";
  }
  for (const tag of "DGSn")
    for (const token of tokens)
      if (token.tag === tag || (tag === "n" && (token.text === "without" || token.text === "nor")))
        attach(tokens, token, tag, vocabulary);
  carrySides(tokens);
  return tokens;
}

function cut(text: string, vocabulary: Vocabulary): Token[] {
  const plain = text.replace(QUOTED, " $1 ");
  const spans = [...folded(plain).matchAll(WORDS)].map(({ 0: word, index }) => [index, index + word.length]);
  const words = spans.map(([start, end]) => plain.slice(start, end).toLowerCase());
  const bases = words.map((word) => baseOf(word, vocabulary));
  const tokens: Token[] = [];
  for (let place = 0, end = 0; place < words.length; place = end) {
    const [length, tag, value] = phraseAt(words, bases, place, vocabulary);
    end = place + length;
    if (tag) {
      const side = length > 1 ? (words.slice(place, end).find(isSide) ?? "") : "";
      const one = tag === "S" && value !== "one" && (words[end] === "one" || words[end] === "ones");
      if (one) end += 1; // "the right one"
      const token = new Token(words.slice(place, end).join(" "), spans[place][0], spans[end - 1][1], tag, value);
      token.side = side;
      tokens.push(token);
    } else for (let at = place; at < end; at += 1) tokens.push(new Token(words[at], spans[at][0], spans[at][1]));
  }
  return tokens;
}

/** Give a direction, a degree, a side or a negation to the verbs and parts that it is of. */
function attach(tokens: readonly Token[], token: Token, tag: string, vocabulary: Vocabulary): void {
  const own = runOf(tokens, token);
  const verbs = own.filter((other) => other.tag === "V" && other.segment === token.segment);
  let owners: Token[] = [];
  if (tag === "D") {
    owners = verbs.filter((verb) => verb.place <= token.place + 1).slice(-1);
    const gazing = owners.length ? undefined : gazeVerb(tokens, token, vocabulary);
    if (gazing) owners = [gazing];
    const high = isSide(token.value) ? HIGH.get(tokens[token.place - 1]?.text) : undefined;
    (owners[0] ?? token).directions.push(token.value, ...(high ? [high] : []));
    if (!owners.length) [token.tag, token.value] = ["V", ""]; // "eyes up"
  } else if (tag === "G" && !verbs.length && vocabulary.verbs.has(baseOf(token.text, vocabulary)))
    [token.tag, token.value] = ["V", baseOf(token.text, vocabulary)]; // "lips tight"
  else if (tag === "G") {
    const parts = own.filter((other) => other.tag === "P" && other.segment === token.segment);
    const earlier = own.filter((other) => other.tag === "V"); // "jaw open: 50%"
    const distance = (other: Token) => Math.abs(other.place - token.place);
    owners = [verbs, parts, earlier].find((listed) => listed.length) ?? []; // "right eyebrow 50%"
    owners = [...owners].sort((one, other) => distance(one) - distance(other)).slice(0, 1);
    for (const owner of owners) owner.strength = Math.min(Number(token.value), owner.strength ?? 1);
  } else if (tag === "S") owners = attachSide(tokens, token, vocabulary);
  else owners = negate(tokens, token);
  for (const owner of owners) owner.around.push(token);
}

/** Negate up to the end of a segment, over "or", but not behind another verb or its subject. */
function negate(tokens: readonly Token[], token: Token): Token[] {
  const later = tokens.slice(token.place + 1);
  const spoken = later.find((other) => "VP".includes(other.tag))?.place ?? Infinity;
  const end = later.find(
    ({ tag, text, place }) =>
      ("c.x".includes(tag) && text !== "or" && text !== "nor") || (tag === "w" && place > spoken),
  );
  const scope = tokens.slice(token.place, end?.place).filter((other) => "VP".includes(other.tag));
  for (const other of scope) other.negated = true;
  return scope.slice(0, 1);
}
