/**
 * Acts in a chat model's line: `<act>` tags, *stage directions*, (parentheses), emoji; the rest is said.
 *
 * The twin of Python's `emo3d_lab.acts`: what is no act for certain stays text, so that no word of a line is lost.
 */
import { SPACE, trim, WORD } from "./instructions/text.ts";
import tables from "./tables.json" with { type: "json" };

/** A part of a line: what is said, or an act that the face does meanwhile. */
export interface Segment {
  text: string; // of an act without its marks
  kind: "said" | "act";
  strength?: number; // of an `<act strength="...">`, 0..1.5
}

const { longest: LONGEST, verbs: VERBS, moves: MOVES, parts: PARTS, manners: MANNERS } = tables.acts;
const PRONOUNS = ["she", "he", "they", "i", "it"];
const FACES =
  "\\u2639\\u263a\\u2764\\u{1f44d}\\u{1f44e}\\u{1f494}-\\u{1f49f}\\u{1f600}-\\u{1f64f}\\u{1f910}-\\u{1f917}" +
  "\\u{1f920}-\\u{1f92f}\\u{1f970}-\\u{1f97a}\\u{1f9d0}\\u{1fae0}-\\u{1fae8}";
// A face, heart or thumb, with what may follow it: variants, skin tones, joined symbols.
const EMOJI = new RegExp(
  `[${FACES}](?:[\\ufe0e\\ufe0f\\u{1f3fb}-\\u{1f3ff}]|\\u200d[^${SPACE}${WORD}]?){0,12}`,
  "uy",
);
const EMOTICON = new RegExp(`[:;]-?'?[()DO](?![${WORD}])`, "uy");
const OPENER = new RegExp(`[<*(:;${FACES}]`, "gu");
const TAG = new RegExp(
  `<act(?:[${SPACE}]{1,8}strength[${SPACE}]{0,8}=[${SPACE}]{0,8}(["']?)([\\d.]{1,8})\\1)?[${SPACE}]{0,8}>`,
  "iuy",
);
const NUMBER = /^(?:\d+\.?\d*|\.\d+)$/;
const TAG_LENGTH = 48; // characters of the longest
const SUBJECT = new RegExp(`(?<![${WORD}])(?:s?he|it|that|this|who|which|never|always|only|just) $`, "iu");
const BEFORE = 8; // characters that it looks at
const ENDS = ".!?…,;:—–-\"”'’)*\n"; // after these, or at a start, a word between asterisks is no emphasis
const SPACE_LAST = new RegExp(`[${SPACE}]$`, "u");
const SPACES = new RegExp(`[${SPACE}]+`, "gu");

/** What was read at an opener: an act, or none, and the place after it; no end where more of the line is needed. */
interface Cut {
  segment?: Segment;
  end?: number;
}

const WAIT: Cut = {};

/** Reads a line that comes in chunks, cut anywhere; at most 550 characters are held back for an act that may end. */
export class ActReader {
  private rest = "";
  private before = " "; // the last characters before the rest
  private free = true; // whether a direction may begin here: at the start, and after a sentence, clause or act

  /**
   * Read on.
   *
   * @returns what is certain by now
   * @throws RangeError for a chunk that is no string
   */
  feed(chunk: string): Segment[] {
    if (typeof chunk !== "string") throw new RangeError(`expected a chunk of text, got a ${typeof chunk}`);
    this.rest += chunk;
    const half = /[\ud800-\udbff]$/.exec(this.rest)?.[0] ?? ""; // of a symbol whose other half comes next
    this.rest = this.rest.slice(0, this.rest.length - half.length);
    const segments = this.take(false);
    this.rest += half;
    return segments;
  }

  /** What was held back; the line is over, and the next one may begin. */
  close(): Segment[] {
    const segments = this.take(true);
    [this.rest, this.before, this.free] = ["", " ", true];
    return segments;
  }

  private take(isFinal: boolean): Segment[] {
    const segments: Segment[] = [];
    const text = this.rest;
    let parts: string[] = []; // of what is said
    let start = 0;
    const flush = () => {
      if (parts.length) segments.push({ text: parts.join(""), kind: "said" });
      parts = [];
    };
    const say = (part: string) => {
      if (!part) return;
      parts.push(part);
      this.note(part);
    };
    while (start < text.length) {
      OPENER.lastIndex = start;
      const place = OPENER.exec(text)?.index ?? text.length;
      say(text.slice(start, place));
      start = place;
      if (start === text.length) break;
      const { segment, end } = this.read(text, start, isFinal);
      if (end === undefined) break;
      if (segment) {
        flush();
        segments.push(segment);
        [this.before, this.free] = [" ", true];
      } else say(text.slice(start, end));
      start = end;
    }
    this.rest = text.slice(start);
    flush();
    return segments;
  }

  private note(text: string): void {
    this.before = (this.before + text.slice(-BEFORE)).slice(-BEFORE);
    let end = text.length;
    while (end && (text[end - 1] === " " || text[end - 1] === "\t")) end -= 1;
    if (end) this.free = ENDS.includes(text[end - 1]);
  }

  private read(text: string, start: number, isFinal: boolean): Cut {
    const mark = text[start];
    const rest = text.length - start;
    const isText = { end: start + 1 };
    if (mark === "<") return readTag(text, start, isFinal);
    if (mark === ":" || mark === ";") {
      const isApart = SPACE_LAST.test(this.before);
      if (isApart && rest < 5 && !isFinal) return WAIT;
      EMOTICON.lastIndex = start;
      const match = isApart ? EMOTICON.exec(text) : null;
      return match ? { segment: { text: match[0], kind: "act" }, end: start + match[0].length } : isText;
    }
    if (mark !== "*" && mark !== "(") {
      EMOJI.lastIndex = start;
      const [symbol] = EMOJI.exec(text)!;
      const end = start + symbol.length;
      return end === text.length && !isFinal ? WAIT : { segment: { text: symbol, kind: "act" }, end };
    }
    if (mark === "*" && rest === 1 && !isFinal) return WAIT;
    const longest = LONGEST[mark];
    if (text.startsWith("**", start)) {
      const end = start + /^\**/.exec(text.slice(start, start + longest))![0].length; // bold
      return end === text.length && rest < longest && !isFinal ? WAIT : { end };
    }
    const close = text.slice(start + 1, start + 1 + longest).search(mark === "*" ? /[*\n]/ : /[()\n]/);
    if (close < 0) return rest <= longest && !isFinal ? WAIT : isText;
    const place = start + 1 + close;
    const end = place + 1;
    if (mark === "*" && text[place] === "*" && end === text.length && !isFinal) return WAIT;
    const content = text.slice(start + 1, place);
    const isEnded = text[place] === (mark === "*" ? "*" : ")") && !(mark === "*" && text[end] === "*");
    const isFree = mark === "(" || this.free;
    const isEmphasis = !isFree && SUBJECT.test(this.before); // "she *laughs* at me"
    if (isEnded && !isEmphasis && content === trim(content) && isDirection(content, isFree, mark === "("))
      return { segment: { text: content, kind: "act" }, end };
    return isText;
  }
}

function readTag(text: string, start: number, isFinal: boolean): Cut {
  const isText = { end: start + 1 };
  TAG.lastIndex = start;
  const tag = TAG.exec(text);
  if (!tag) {
    const head = text.slice(start, start + TAG_LENGTH).toLowerCase();
    const isTag = head.slice(0, 4) === "<act".slice(0, head.length);
    return isTag && !head.includes(">") && head.length < TAG_LENGTH && !isFinal ? WAIT : isText;
  }
  const inside = start + tag[0].length;
  const length = text.slice(inside, inside + LONGEST["<"]).indexOf("<");
  if (length < 0) return text.length - inside < LONGEST["<"] && !isFinal ? WAIT : isText;
  const close = inside + length;
  const end = text.slice(close, close + 6).toLowerCase();
  if (end.length < 6 && "</act>".startsWith(end) && !isFinal) return WAIT;
  const content = trim(text.slice(inside, close)).replace(SPACES, " ");
  const strength = tag[2] === undefined ? undefined : NUMBER.test(tag[2]) ? Number(tag[2]) : -1;
  if (end !== "</act>" || !content || (strength !== undefined && !(strength >= 0 && strength <= 1.5))) return isText;
  const segment: Segment = { text: content, kind: "act" };
  return { segment: strength === undefined ? segment : { ...segment, strength }, end: close + 6 };
}

/**
 * Whether words between asterisks, or of an aside in parentheses, are a stage direction.
 *
 * @param content without its marks
 * @param isFree a clause has just ended, so that the words are no emphasis within it
 * @param isAside how something is said, as adjectives ("nervous"), counts, too
 */
export function isDirection(content: string, isFree: boolean, isAside: boolean): boolean {
  let words: string[] = content.toLowerCase().match(/\p{L}+(?:['’]\p{L}+)?/gu) ?? [];
  if (words.length < 1 || words.length > 12) return false;
  if (words.length === 1 && stemIn(words[0], MANNERS, isAside ? ["", "ly"] : ["ly"])) return isFree;
  const isPerson = PRONOUNS.includes(words[0]) && words.length > 1;
  if (isPerson) words = words.slice(1);
  while (words.length > 1 && words[0].endsWith("ly")) words = words.slice(1);
  const isVerb =
    stemIn(words[0], VERBS, ["", "s", "ing"]) ||
    (stemIn(words[0], MOVES, ["", "s", "ing"]) && words.slice(1).some((word) => PARTS.includes(word)));
  return isVerb && (isFree || isPerson || words[0].endsWith("s"));
}

/** Whether a word is one of the stems with one of the endings, by English spelling: shrugging, angrily. */
function stemIn(word: string, stems: string[], endings: string[]): boolean {
  return endings.some((ending) => {
    if (!word.endsWith(ending)) return false;
    const stem = word.slice(0, word.length - ending.length);
    const forms = [stem];
    if (ending === "s") {
      if (stem.endsWith("e")) forms.push(stem.slice(0, -1));
      if (stem.endsWith("ie")) forms.push(`${stem.slice(0, -2)}y`);
    }
    if (ending === "ing") {
      forms.push(`${stem}e`);
      if (stem.at(-1) === stem.at(-2)) forms.push(stem.slice(0, -1));
    }
    if (ending === "ly") {
      if (stem.endsWith("i")) forms.push(`${stem.slice(0, -1)}y`);
      if (stem.endsWith("al")) forms.push(stem.slice(0, -2));
      forms.push(`${stem}le`);
    }
    return forms.some((form) => stems.includes(form));
  });
}

/** Split a whole line into what is said and acts, in their order; together they have all of its words. */
export function readActs(text: string): Segment[] {
  const reader = new ActReader();
  const segments: Segment[] = [];
  for (const segment of [...reader.feed(text), ...reader.close()]) {
    const last = segments.at(-1);
    if (last?.kind === "said" && segment.kind === "said") last.text += segment.text;
    else segments.push(segment);
  }
  return segments;
}
