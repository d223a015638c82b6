/**
 * Which side of the face words mean: left as a side, a direction or a verb; "the other", "an eye", "of the left eye".
 *
 * All sides are the person's own; those of a viewer, a camera or a picture are turned round. The twin of Python's
 * `emo3d_lab.instructions.sides`.
 */
import { END, folded, START } from "./text.ts";
import { isSide, otherSide, tagsOf, type Token, type Vocabulary } from "./vocabulary.ts";

/** "the left half of", "left-hand", "leftmost": a side, as long as it was. */
const HAND = new RegExp(
  `${START}(left|right)(?:[- ]hand(?:ed)?(?= (?:side|corner|eye|half|brow|part|end))|-sided?|most)${END}`,
  "gu",
);
const HALF = new RegExp(`(?:(?<=left )|(?<=right ))half of${END}`, "gu");
const ONLY = new RegExp(`${START}(?:nothing but|none but|no (?:eye|brow|corner) but)${END}`, "gu");
const NOUN = /^[plGVxy]{0,3}(od?)?[plGVxy]{0,2}P/; // after a side: up to the part that it is the side of
const ONE =
  /^(?:eye|eyebrow|(upper |lower )?eyelid|eyelash|nostril|corner of[^\n]*|(lip|mouth) corner|side of[^\n]*)$/;
const PAIRED =
  /^((upper|lower|inner|outer) )?(eye|brow|eyebrow|lid|eyelid|nostril|cheek|corner|fang|canine|(lip|mouth) corner)$/;
const VIEWERS = words("viewer camera screen observer audience onlooker picture image frame photo");
/** "on the left of the picture", "left, as seen by the viewer". */
const SEEN = new RegExp(
  `${START}(?:of|in) (?:the |this )?(?:picture|image|frame|photo|photograph|screen|shot)${END}` +
    `|${START}as (?:the |a )?(?:viewer|camera|observer|audience)s? sees?${END}` +
    `|${START}(?:from|by) (?:the |a |our )?(?:viewer|camera|observer|audience|front|point of view|us${END})` +
    `|${START}to (?:the|a) (?:viewer|observer|camera)${END}|${START}on our (?:left|right)${END}` +
    `|${START}as we (?:see|look)${END}`,
  "u",
);
const ENDS = words("corner corners end ends tips");
const ALONE = /^c*[pldonty]*[SPDV][pldonyG]*(od?[plPd]*)?[.]?$/; // "on the right only", "the left one"
const LIMITS = words("only just side half solely alone");
const SMILES = words("smile grin smirk");
const MOUTHS = words("mouth lip upperlip lowerlip corner smile grin smirk");

function words(listed: string): Set<string> {
  return new Set(listed.split(" "));
}

/** A text, as long as before, whose "left-hand" and "left half of" are "left" and "left side of". */
export function plainSides(text: string): string {
  const replaced = (before: string, pattern: RegExp, make: (match: string, side: number) => string): string => {
    let [after, end] = ["", 0];
    for (const match of folded(before).matchAll(pattern)) {
      const own = before.slice(match.index, match.index + match[0].length);
      after += before.slice(end, match.index) + make(own, match[1]?.length ?? 0).padEnd(own.length);
      end = match.index + own.length;
    }
    return after + before.slice(end);
  };
  const handed = replaced(replaced(text, ONLY, () => "only"), HAND, (match, side) => match.slice(0, side));
  return replaced(handed, HALF, () => "side of");
}

/** Whether a part is more than one of its kind ("lips", "the corners of the mouth"). */
function isPlural(token: Token): boolean {
  const head = token.text.split(" of ")[0];
  return head.endsWith("s") || head.includes("teeth");
}

/** Make one part of two: "the lid of the left eye", "the mouth's corner"; and parts of ends ("its left corner"). */
export function joinParts(tokens: readonly Token[]): void {
  tokens.forEach((token, place) => {
    if (ENDS.has(token.text) && token.tag === "p") tellEnd(tokens, place);
    if (token.tag !== "P") return;
    const tail = tagsOf(tokens.slice(place + 1, place + 6));
    const match = /^[ot]d?S?p?P/.exec(tail);
    const next = tokens[place + 1]?.text;
    if (match) {
      const end = place + match[0].length; // at the inner part
      const beside = tokens[end].value === "eye" && ["lid", "lowerlid", "brow", "cheek"].includes(token.value);
      if (next !== "of" && !beside) return;
      for (let at = place + 1; at <= end; at += 1) {
        const other = tokens[at];
        if (other.tag === "S") {
          [token.side, other.tag] = [ownSide(tokens, at), "p"];
          token.around.push(other);
        } else other.tag = "p";
      }
      if (isPlural(tokens[end]) && !isPlural(token) && token.side === "both") token.text += "s";
    } else if (/^d(S?)P/.test(tail) && (next === "'s" || next === "'")) token.tag = tokens[place + 1].tag = "p";
  });
}

/** A corner or an end is a part where a mouth, a smile or a brow stands in the same description. */
function tellEnd(tokens: readonly Token[], place: number): void {
  const token = tokens[place];
  const before = tagsOf(tokens.slice(Math.max(place - 3, 0), place));
  const after = tagsOf(tokens.slice(place + 1, place + 4));
  const around = [...tokens.keys()].filter((at) => tokens[at].tag === "P" || SMILES.has(tokens[at].value));
  const sided = /S[pG]?$/.test(before) || token.text.endsWith("s") || /^od?S/.test(after);
  if (tokens[place + 1]?.text === "of" || !around.length || !sided) return;
  const at = around.filter((other) => other < place).at(-1) ?? around[0];
  const nearest = tokens[at];
  const between = tagsOf(tokens.slice(at, place));
  const near = tokens.slice(Math.max(place - 2, 0), place).map((other) => other.text);
  const kind = near.find((text) => text === "inner" || text === "outer") ?? "";
  if (/^P[^c.]*$/.test(between)) {
    if (nearest.value === "brow" && kind) nearest.value = `${kind}brow`; // "the mouth drops at its left corner"
  } else if (nearest.value.endsWith("brow") && kind) [token.tag, token.value] = ["P", `${kind}brow`];
  else if (MOUTHS.has(nearest.value)) [token.tag, token.value] = ["P", "corner"];
}

/** The person's own side that a word names. */
function ownSide(tokens: readonly Token[], place: number): string {
  const { value } = tokens[place];
  const own = value === "one" ? "left" : value === "either" ? "both" : value;
  const near = tokens.slice(Math.max(place - 2, 0), place);
  return near.some((other) => VIEWERS.has(other.text)) ? otherSide(own) : own;
}

/** Whether "left" is a side, a direction or a verb, and what "the other" and "an eye" mean. */
export function tellSides(text: string, tokens: readonly Token[]): void {
  let [part, side, tags] = ["", "left", tagsOf(tokens)];
  const turned = SEEN.test(text.toLowerCase());
  const texts = (start: number, end: number) => tokens.slice(Math.max(start, 0), end).map((other) => other.text);
  tokens.forEach((token, place) => {
    const after = tags.slice(place + 1, place + 10);
    const before = tags.slice(Math.max(place - 6, 0), place);
    const near = texts(place - 3, place);
    const next = tokens[place + 1]?.text ?? "";
    if (token.tag === "P") {
      part = token.value;
      const article = ["brow", "lid", "cheek"].includes(token.text) && (near.includes("a") || near.includes("an"));
      const rolling = next.endsWith("ing"); // "eye-rolling"
      token.only = texts(place - 4, place).some((other) => other === "only" || other === "just");
      token.single = article || (ONE.test(token.text) && !rolling);
    } else if (token.text === "side" && ["that", "same"].includes(near.at(-1)!) && tags.slice(0, place).includes("S")) {
      [token.tag, token.side, token.value] = ["S", side, side]; // "on that side"
      tags = `${tags.slice(0, place)}S${tags.slice(place + 1)}`;
    } else if (token.tag === "S") {
      const sided = isSide(token.value);
      const [on, to] = [/o[dwp]*$/.test(before), /t[dwp]*$/.test(before)];
      if (sided) token.value = turned ? otherSide(token.value) : ownSide(tokens, place);
      const one = token.text.endsWith(" one");
      const pronoun = /^(?:$|S?l?[aVcG.]|S$)/.test(after) && (before.endsWith("d") || one);
      const half = ["side", "half", "hand"].includes(next);
      if (sided && after.startsWith("d") && !on && !to) token.tag = "p"; // "left her mouth open"
      else if (!NOUN.test(after) && !on && !(half && !to)) {
        const turns = sided && (to || !before.endsWith("d")) && !one;
        const instead = part ? "P" : near.slice(-2)[0] === "with" ? "S" : "p";
        token.tag = turns ? "D" : pronoun ? instead : "p";
      }
      if ("SP".includes(token.tag)) {
        const other = otherSide(side, "both");
        const names = new Map([["one", "left"], ["other", other], ["opposite", other], ["either", "both"]]);
        token.side = token.value = side = names.get(token.value) ?? token.value;
      }
      if (token.tag === "P") [token.value, token.pronoun] = [part, true];
      tags = tags.slice(0, place) + token.tag + tags.slice(place + 1);
    }
  });
}

/** The other tokens of a token's run. */
export function runOf(tokens: readonly Token[], token: Token): Token[] {
  let [start, end] = [token.place, token.place + 1];
  while (tokens[start - 1]?.run === token.run) start -= 1;
  while (tokens[end]?.run === token.run) end += 1;
  return tokens.slice(start, end).filter((other) => other !== token);
}

/** The part or verb that a side is of. */
export function attachSide(tokens: readonly Token[], token: Token, vocabulary: Vocabulary): Token[] {
  const noun = NOUN.exec(tagsOf(tokens.slice(token.place + 1, token.place + 10)));
  let owners: Token[];
  if (noun) owners = [tokens[token.place + noun[0].length]];
  else {
    const gazing = gazeVerb(tokens, token, vocabulary);
    if (gazing) {
      gazing.directions.push(token.value);
      return [gazing];
    }
    const own = runOf(tokens, token);
    const parts = own.filter((other) => other.tag === "P" && other.place < token.place);
    const verbs = own.filter((other) => other.tag === "V");
    owners = (parts.length ? parts : verbs).slice(-1);
  }
  for (const owner of owners)
    if (token.text === "one" && owner.tag === "P") owner.single = true; // a later word may say which
    else owner.side = token.value;
  return owners;
}

/** The verb of looking whose way a side tells: "looks at the clock on his left". */
export function gazeVerb(tokens: readonly Token[], token: Token, vocabulary: Vocabulary): Token | undefined {
  if (!isSide(token.value)) return undefined;
  const earlier = tokens.slice(0, token.place).filter((other) => "V.P".includes(other.tag));
  const [before, verb] = [earlier.at(-2), earlier.at(-1)];
  if (verb?.tag !== "V" || verb.directions.length) return undefined;
  const eyes = ["gaze", "eye"].includes(before?.value ?? "") && vocabulary.move.has(verb.value);
  const between = tokens.slice(verb.place, token.place).some((other) => "ot".includes(other.tag));
  return between && (vocabulary.look.has(verb.value) || eyes) ? verb : undefined;
}

/** Give a side in a phrase of its own to what stands before it, and the side of a part to the next of its list. */
export function carrySides(tokens: readonly Token[]): void {
  const segments = new Map<number, Token[]>();
  for (const token of tokens) {
    if (!segments.has(token.segment)) segments.set(token.segment, []);
    segments.get(token.segment)!.push(token);
  }
  for (const inner of segments.values()) carryBack(tokens, inner);
  for (const lid of tokens) {
    if (!["lid", "lowerlid"].includes(lid.value) || lid.side) continue; // "in the left eye"
    for (const eye of tokens.slice(lid.place))
      if (eye.segment === lid.segment && eye.value === "eye" && eye.side) {
        [lid.side, eye.tag] = [eye.side, "p"];
        lid.around.push(eye);
      }
  }
  let last: Token | undefined;
  for (const token of tokens) {
    if (token.tag === ".") last = undefined;
    if (token.tag !== "P") continue;
    if (last && !token.side && !isPlural(token) && token.value !== "tooth") {
      const between = tagsOf(tokens.slice(last.place + 1, token.place));
      const listed = /^c[pGly]*$/.test(between) && tokens[last.place + 1].text === "and";
      if (listed || token.single || PAIRED.test(token.text)) token.side = last.side;
    }
    if (isSide(token.side)) last = token;
  }
}

/** Give the side of a segment that says nothing else to the part or verb before it. */
function carryBack(tokens: readonly Token[], inner: readonly Token[]): void {
  const sided = inner.filter((token) =>
    [token.value, token.side, ...(token.tag === "V" ? token.directions : [])].some(isSide),
  );
  if (sided.length !== 1 || !ALONE.test(tagsOf(inner))) return;
  const token = sided[0];
  if (token.tag === "P" && !token.pronoun) return;
  if (token.tag === "V" && (token.value || !inner.some((other) => LIMITS.has(other.text)))) return;
  const side = token.tag === "V" ? token.directions[0] : token.side || token.value;
  let earlier = tokens.slice(0, inner[0].place).filter((other) => "PV.".includes(other.tag));
  earlier = earlier.slice(tagsOf(earlier).lastIndexOf(".") + 1);
  const parts = earlier.filter((other) => other.tag === "P");
  const singles = parts.slice(0, -1).filter((other) => other.single);
  for (const owner of [...singles, ...(parts.length ? parts : earlier).slice(-1)])
    if (!owner.side && owner !== token) {
      owner.side = side;
      owner.around.push(token);
      [token.tag, token.pronoun] = ["p", false];
    }
}
