/**
 * From a description to its physical instructions: the twin of Python's `emo3d_lab.instructions.reading`.
 *
 * Every part of the face takes the nearest verb or direction that the table of words has for it; one without takes that
 * of its neighbour ("closes the eyes and the mouth"). Left and right are the person's own.
 */
import type { Instruction } from "./apply.ts";
import { plainSides } from "./sides.ts";
import { scriptName, spellSymbols } from "./symbols.ts";
import { quoted, rounded, trim } from "./text.ts";
import { readTokens } from "./tokens.ts";
import { BOTH, isSide, type Row, type Table, tagsOf, Token, type Vocabulary, vocabularyOf } from "./vocabulary.ts";

/** What a description was understood as. */
export interface Interpretation {
  description: string;
  rest: string; // for the encoder; "" where nothing of meaning is left
  instructions: Instruction[];
  notes: string[]; // how symbols were read, and what has no blendshape
}

interface Pair {
  part: Token | undefined;
  verb: Token;
  row: Row;
  side: string;
}

const LONGEST = 2000; // characters of a description that is looked into
const [FAR, NEXT] = [12, 20]; // tokens between a part and its verb at most; what a segment between them counts as
const SUBJECT = /(?:d[pS]*|^|(?<=[c.]))x(?=d|[anGyl]*U)/g; // "the baker", "Anna" before a verb that was read (U)
const OWN = /d[SGplx]*VP/g; // "her closed eyes"

/**
 * Read the physical instructions of a description.
 *
 * @param description English; of other languages only emoji are read. One beyond 2,000 characters is all rest.
 * @param table `instructions.json` of a model's folder.
 * @returns the instructions in the order of their verbs, and the rest: the whole description, symbols spelt out, or ""
 *     where it says nothing of meaning beside them.
 * @throws RangeError for a table of another format.
 */
export function readInstructions(description: string, table: Table): Interpretation {
  const vocabulary = vocabularyOf(table);
  if (description.length > LONGEST && [...description].length > LONGEST)
    return { description, rest: description, instructions: [], notes: [] };
  const { text, spans, notes } = spellSymbols(description, vocabulary);
  const letters = (text.match(/\p{L}/gu) ?? []).map((letter) => scriptName(letter, vocabulary));
  if (!letters.length) {
    const start = [...quoted(trim(description))].slice(0, 40).join("");
    return { description, rest: "", instructions: [], notes: [...notes, `no words in ${start}: a face at rest`] };
  }
  const scripts = letters.filter((script) => script !== "Latin");
  if (2 * scripts.length > letters.length)
    notes.push(`letters of ${scripts[0]}: instructions are read in English only`);
  const tokens = readTokens(plainSides(text), vocabulary);
  let span = 0;
  for (const token of tokens) {
    while (span < spans.length && spans[span][1] <= token.start) span += 1;
    token.kept = span < spans.length && spans[span][0] <= token.start;
  }
  const read = pairsOf(tokens, vocabulary).map((pair) => {
    const own = [pair.part, pair.verb].flatMap((token) => (token ? [token, ...token.around] : []));
    const start = own.reduce((least, token) => Math.min(least, token.start), Infinity);
    const words = text.slice(start, own.reduce((most, token) => Math.max(most, token.end), 0));
    const [weights, yielding] = weightsOf(pair);
    const sided = [...weights.keys()].some((name) => BOTH.some((side) => name.endsWith(side)));
    if (pair.row.flags.includes("!")) notes.push(`${quoted(words)}: ${pair.row.flags.replace(/^[! ]+|[! ]+$/g, "")}`);
    else if (isSide(pair.side) && !sided) notes.push(`${quoted(words)}: no blendshape moves one side of it alone`);
    return { words, weights, yielding };
  });
  const on = new Set(read.flatMap(({ weights }) => [...weights].flatMap(([name, weight]) => (weight ? [name] : []))));
  for (const { weights, yielding } of read) {
    for (const name of yielding) if (on.has(name)) weights.delete(name);
    if (!on.has("jawOpen")) weights.delete("mouthClose"); // it only keeps the lips together over an open jaw
  }
  const instructions = read
    .filter(({ weights }) => weights.size)
    .map(({ words, weights }) => ({ words, weights: Object.fromEntries(weights) }));
  const more = !instructions.length || saysMore(tokens, vocabulary);
  return { description, rest: more ? (spans.length ? text : description) : "", instructions, notes };
}

/** Parts with their verbs, and verbs that need no part, in the order of the verbs. */
function pairsOf(tokens: readonly Token[], vocabulary: Vocabulary): Pair[] {
  const [verbs, parts] = ["V", "P"].map((tag) => tokens.filter((token) => token.tag === tag));
  const found: Pair[] = [];
  for (const part of parts) {
    const near = verbs
      .filter((verb) => verb.run === part.run && Math.abs(part.place - verb.place) <= FAR)
      .map((verb) => ({ verb, distance: distanceOf(tokens, part, verb) }))
      .filter(({ distance }) => distance !== undefined)
      .sort((one, other) => one.distance! - other.distance!);
    for (const { verb } of near) {
      const pairs = rowsOf(part, verb, vocabulary);
      found.push(...pairs);
      if (pairs.length) break;
    }
  }
  const taken = new Set(found.map((pair) => pair.verb));
  for (const verb of verbs.filter((verb) => !taken.has(verb))) {
    const earlier = verb.value ? [] : verbs.filter((other) => other.run === verb.run && other.place < verb.place);
    const looks = [...earlier, verb].some((other) => vocabulary.look.has(other.value)); // "looks up and to the left"
    const alone = rowsOf(new Token("", 0, 0, "x", looks ? "gaze" : "-"), verb, vocabulary);
    const told = alone.filter(({ row, side }) => !row.flags.includes("~") || verb.side || side || verb.negated);
    found.push(...told.map((pair) => ({ ...pair, part: undefined })));
    if (alone.length) continue;
    const last = parts.filter((part) => part.run === verb.run && part.segment < verb.segment).at(-1);
    const lead = tokens.slice(0, verb.place).filter((other) => other.segment === verb.segment);
    if (last && /^[clyntdo]*$/.test(tagsOf(lead))) found.push(...rowsOf(last, verb, vocabulary)); // "widen, then close"
    else {
      const owners = parts.filter((part) => // "her pursed lips move to the left": a part has more than one
        part.run === verb.run && part.segment === verb.segment && Math.abs(part.place - verb.place) <= FAR);
      owners.sort((one, other) => Math.abs(one.place - verb.place) - Math.abs(other.place - verb.place));
      found.push(...(owners.map((part) => rowsOf(part, verb, vocabulary)).find((pairs) => pairs.length) ?? []));
    }
  }
  const first = new Set([...tagsOf(tokens).matchAll(OWN)].map((match) => match.index + match[0].length - 2));
  const late = ({ verb }: Pair) => (first.has(verb.place) ? 0 : 1); // how a part is, before what it does
  found.sort((one, other) => late(one) - late(other) || one.verb.place - other.verb.place);
  return found.map(({ part, verb, row, side }) => {
    const single = (part ? part.single : row.flags.includes("1")) && !verb.negated && !part?.negated;
    if (row.flags.includes("+")) verb.kept = true;
    for (const token of [verb, ...verb.around, ...(part ? [part, ...part.around] : [])]) token.used = true;
    return { part, verb, row, side: part?.side || verb.side || side || (single ? "left" : "") };
  });
}

/** Tokens between a part and a verb, or undefined where they cannot belong together. */
function distanceOf(tokens: readonly Token[], part: Token, verb: Token): number | undefined {
  const distance = Math.abs(part.place - verb.place) + (verb.place > part.place ? 0.5 : 0);
  if (part.run !== verb.run || distance > FAR) return undefined;
  if (part.segment === verb.segment) return distance;
  // Of a list ("eyes and mouth closed"), or with no verb of its own ("winks with her left eye").
  const own = tokens.filter((token) => token.segment === part.segment);
  const alone = !own.some((token) => "Vax".includes(token.tag)) && (verb.place < part.place || own.at(-1) === part);
  const beside = tokens.filter((token) => token.segment === verb.segment);
  if ((part.value === "mouth" || part.value === "lip") && beside.some((token) => token.value === "corner"))
    return undefined; // "a mouth whose left corner droops"
  const object = beside.some((token) => token.tag === "P" && token.place > verb.place);
  return alone && !(object && verb.place > part.place) ? distance + NEXT : undefined;
}

/** A verb's rows for a part, and the side where its direction turns out to be one ("the eyebrow left"). */
function rowsOf(part: Token, verb: Token, { rows: table, move }: Vocabulary): Pair[] {
  const found: Row[] = [];
  let side = "";
  const sided = isSide(part.side);
  const corner = sided && part.value === "mouth" ? table.get("corner")! : [];
  const rows = [...corner, ...(table.get(part.value) ?? [])];
  const own = rows.filter((row) => row.verbs.has(verb.value)).slice(0, 1);
  const moves = move.has(verb.value);
  for (let direction of new Set(verb.directions)) {
    if (sided && (direction === part.side || direction === "aside"))  // a corner outwards, an eye to its own side
      direction = ["mouth", "lip", "corner"].includes(part.value) ? "outward" : part.side;
    const free = isSide(direction) || moves || !own.length;
    const turn = rows.find(({ verbs }) => verbs.has(`>${direction}`) || verbs.has(`${verb.value}>${direction}`));
    if (free && turn) found.push(turn);
    else if (isSide(direction)) side = direction;
  }
  return (found.length && moves ? found : [...found, ...own]).map((row) => ({ part, verb, row, side }));
}

/** Blendshape -> weight, and those that are off only if no other instruction needs them. */
function weightsOf({ part, verb, row, side: named }: Pair): [Map<string, number>, Set<string>] {
  const stated = part?.strength ?? verb.strength;
  const strength = stated ?? (verb.directions.includes("wide") ? 1 : row.strength);
  const sides = BOTH.filter((side) => ["", "both", side.toLowerCase()].includes(named));
  const missing = BOTH.filter((side) => !sides.includes(side));
  const weights = new Map<string, number>();
  const yielding = new Set<string>();
  for (const [pattern, both, alone] of row.targets) {
    const share = sides.length === 2 ? both : alone;
    const of = (listed: readonly string[]) => listed.map((side) => pattern.replaceAll("*", side));
    const starred = pattern.includes("*");
    let names = of(starred ? sides : [""]);
    const others = starred && share > 0 ? of(missing) : [];
    if (pattern.startsWith("eyeLook")) names = names.filter((name) => sides.some((side) => name.endsWith(side)));
    const set = (listed: readonly string[], weight: number) => listed.forEach((name) => weights.set(name, weight));
    if (verb.negated || part?.negated) set(share ? names : [], share < 0 ? 1 : 0);
    else {
      set(names, rounded(share < 0 ? 1 - strength : strength * share));
      set(others, 0); // one eyebrow is not two
      if (share < 0 && part?.only) set(of(missing), strength); // "only the left eye is open"
    }
    for (const name of [...others, ...(share ? [] : names)]) yielding.add(name);
  }
  return [weights, yielding];
}

/** Whether there is anything of meaning beside what is an instruction and nothing else. */
function saysMore(tokens: readonly Token[], { move }: Vocabulary): boolean {
  const tags = tokens.map((token) => (token.used && token.tag === "V" ? "U" : token.tag)).join("");
  const subjects = new Set([...tags.matchAll(SUBJECT)].map((match) => match.index + match[0].length - 1));
  const told = new Set(tokens.filter((token) => token.used && !"c.".includes(token.tag)).map((token) => token.segment));
  return tokens.some((token) => {
    const word = token.kept || "xy".includes(token.tag);
    const idle = !token.used && (token.tag === "P" ? !told.has(token.segment) : token.tag === "V" && !move.has(token.value));
    return !"c.".includes(token.tag) && (word || idle) && !subjects.has(token.place);
  });
}
