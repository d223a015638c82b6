import { TARGETS } from "../../web/src/weights.ts";

/** Characters of a text, as `Face.express` takes them. */
export const LONGEST_TEXT = 2000;
/** The strength at the right end of the slider. */
export const MOST_STRENGTH = 1.5;
/** Characters of an address's fragment that are read: 2,000 characters, percent-encoded, have 18,000 at most. */
const LONGEST_FRAGMENT = 24_000;
const HELD = /^(?:[a-zA-Z]{1,30}:(?:0|1|0\.\d{1,4}|1\.0{1,4})(?:,(?=.)|$))*$/;

/** What a face on the page is made of: all that a link holds and that undo brings back. */
export interface PageState {
  /** What is felt or done, at most `LONGEST_TEXT` characters. */
  readonly text: string;
  /** 0 to `MOST_STRENGTH`. */
  readonly strength: number;
  /** Weights in 0..1 that were set by hand, by their names; they stand in place of those of the text. */
  readonly held: Readonly<Record<string, number>>;
}

/** A face at rest. */
export const REST: PageState = { text: "", strength: 1, held: {} };

/** The fragment of an address, without its `#`, that reopens a state; empty for `REST`. */
export function fragmentOf(state: PageState): string {
  const query = new URLSearchParams();
  if (state.text) query.set("t", state.text);
  if (state.strength !== REST.strength) query.set("s", String(Number(state.strength.toFixed(2))));
  const held = Object.entries(state.held).map(([name, weight]) => `${name}:${Number(weight.toFixed(4))}`);
  if (held.length) query.set("w", held.join(","));
  return query.toString().replaceAll("%3A", ":").replaceAll("%2C", ",");
}

/** Read a fragment; a RangeError in a sentence where it is none of ours. Parameters of other names are left alone. */
export function parseFragment(fragment: string): PageState {
  const damaged = "This link is damaged: expected";
  if (fragment.length > LONGEST_FRAGMENT) {
    const length = fragment.length.toLocaleString("en");
    throw new RangeError(`${damaged} at most ${LONGEST_FRAGMENT.toLocaleString("en")} characters, got ${length}.`);
  }
  const query = new URLSearchParams(fragment.replace(/^#/, ""));
  for (const key of ["t", "s", "w"]) {
    if (query.getAll(key).length > 1) throw new RangeError(`${damaged} "${key}" once, got it more often.`);
  }
  const text = query.get("t") ?? REST.text;
  checkText(text);
  const strength = query.get("s") ?? String(REST.strength);
  if (!/^\d(\.\d{1,2})?$/.test(strength) || Number(strength) > MOST_STRENGTH) {
    throw new RangeError(`${damaged} a strength in 0..${MOST_STRENGTH}, got ${JSON.stringify(strength.slice(0, 40))}.`);
  }
  return { text, strength: Number(strength), held: parseHeld(query.get("w") ?? "", damaged) };
}

function parseHeld(text: string, damaged: string): Record<string, number> {
  if (text.length > 2_600 || !HELD.test(text)) {
    throw new RangeError(`${damaged} weights in 0..1, as in w=jawOpen:0.4,mouthPucker:0.2.`);
  }
  const held: Record<string, number> = {};
  for (const pair of text ? text.split(",") : []) {
    const [name, weight] = pair.split(":");
    if (!TARGETS.includes(name)) throw new RangeError(`${damaged} names of ARKit's 52 blendshapes, got "${name}".`);
    if (name in held) throw new RangeError(`${damaged} each weight once, got ${name} twice.`);
    held[name] = Number(weight);
  }
  return held;
}

/** Raise a RangeError in a sentence where a text is too long. */
export function checkText(text: string): void {
  if (text.length > LONGEST_TEXT) {
    const [most, length] = [LONGEST_TEXT, text.length].map((number) => number.toLocaleString("en"));
    throw new RangeError(`Expected at most ${most} characters, got ${length}: please shorten the text.`);
  }
}

/** Undo and redo: states in the order in which they were, at most 200. */
export class History {
  #past: PageState[] = [];
  #future: PageState[] = [];

  constructor(public state: PageState) {}

  get canUndo(): boolean {
    return this.#past.length > 0;
  }

  get canRedo(): boolean {
    return this.#future.length > 0;
  }

  /** Make a state the present one. `merge` replaces the present one: a slider that moves is one step, not forty. */
  push(state: PageState, merge = false): void {
    if (fragmentOf(state) === fragmentOf(this.state)) return;
    if (!merge) this.#past = [...this.#past, this.state].slice(-200);
    this.#future = [];
    this.state = state;
  }

  undo(): PageState {
    return this.#step(this.#past, this.#future);
  }

  redo(): PageState {
    return this.#step(this.#future, this.#past);
  }

  #step(from: PageState[], to: PageState[]): PageState {
    const state = from.pop();
    if (state) {
      to.push(this.state);
      this.state = state;
    }
    return this.state;
  }
}
