/**
 * An actor: a face that keeps a mood, feels each new line on top of what it felt before, and calms down.
 *
 * The twin of Python's `emo3d_lab.actor`: one state, resumed in either, and the same numbers to 1e-6.
 */
import { readActs } from "./acts.ts";
import { WORD } from "./instructions/text.ts";
import type { Instruction, Interpretation } from "./instructions/index.ts";
import { asFace, faceAt, react, readState, restState, type Settings, type State } from "./moods.ts";
import tables from "./tables.json" with { type: "json" };
import { named, TARGETS, type Weights } from "./weights.ts";

export type { State } from "./moods.ts";

/** Characters of a line and of its context. */
export const LONGEST = 2000;

/** What an actor reads its lines with: a `Face`, or an object of your own. */
export interface Generator {
  express(text: string, options?: { strength?: number }): Promise<Weights>;
  /** Without it no line orders parts of the face about. */
  interpret?(text: string): Promise<Pick<Interpretation, "rest" | "instructions">>;
}

/** How an actor is. */
export interface ActorOptions {
  /** Where the mood goes back to, a text ("content, a little tired") or weights; at rest, or as the state has it. */
  mood?: string | Weights;
  /** Factor on the mood's expression, 0..1, also of what lines make of it; 0.3 without it. */
  moodStrength?: number;
  /** The share of what is felt that is left under a neutral line, 0..1; 0.5 without it. Stronger lines leave less. */
  carry?: number;
  /** Factor on the emotions' half-lives, above 0; 1 without it. */
  decay?: number;
  /** Of another actor, from which this one goes on. */
  state?: State;
  /** Seconds, for calls without `at`; counted from now, or from the state's time. */
  clock?: () => number;
}

/** What comes with a line. */
export interface ActOptions {
  /** What is going on, in a sentence of description ("Her laptop has just crashed."). */
  context?: string;
  /** Of the expression, 0..1.5; 1 for a model that learnt no other. Acts may state another factor. */
  strength?: number;
  /** Seconds, not before the last line; when the expression is known, without it. */
  at?: number;
}

/** A line of dialogue as a model reads it. */
export interface Line {
  text: string;
  spoken: string; // what is said, without acts
  instructions: Instruction[]; // that its acts order
  strength: number; // the largest that its acts state; 1 without
}

/** A face that flows from line to line of a chat. */
export class Actor {
  private readonly settings: Settings;
  private readonly clock: () => number;
  private readonly since: number;
  private readonly ready: Promise<void>;
  private current: State;
  private turn: Promise<unknown>;

  /**
   * @param face reads the lines: a `Face`, or an object with `express` and perhaps `interpret`
   * @throws RangeError for settings out of range, or a state that cannot be read; a mood in words that
   *   cannot be read is told with the first line
   */
  constructor(
    private readonly face: Generator,
    options: ActorOptions = {},
  ) {
    const { mood, moodStrength = 0.3, carry = 0.5, decay = 1, state, clock = () => performance.now() / 1000 } = options;
    const ranges = { moodStrength: [moodStrength, 1], carry: [carry, 1], decay: [decay, 1000] };
    for (const [name, [value, most]] of Object.entries(ranges))
      if (!(value >= 0 && value <= most) || (name === "decay" && value === 0))
        throw new RangeError(`expected ${name} in 0..${most}, got ${value}`);
    this.settings = { moodStrength, carry, decay };
    this.current = state === undefined ? restState(new Float64Array(TARGETS.length)) : readState(state);
    this.clock = clock;
    this.since = clock() - this.current.at;
    const keep = (weights: Weights) => {
      const rest = restState(asFace(weights, "a mood").map((weight) => moodStrength * weight));
      this.current = state === undefined ? rest : { ...this.current, temper: rest.temper };
    };
    if (mood !== undefined && typeof mood !== "string") keep(mood);
    this.ready = typeof mood === "string" ? face.express(mood).then(keep) : Promise.resolve();
    this.ready.catch(() => undefined); // told with the first line
    this.turn = this.ready;
  }

  /** The state as JSON: `new Actor(face, {state: actor.state})` goes on from it, here or in Python. */
  get state(): State {
    return structuredClone(this.current);
  }

  /**
   * Hear a line that the actor says, and feel it; lines are heard in the order of the calls.
   *
   * @param line dialogue, with any acts; not beyond 2,000 characters
   * @throws RangeError for a blank or too long line, a strength out of range, or a time that has passed
   */
  act(line: string, options: ActOptions = {}): Promise<State> {
    const work = this.turn.then(() => this.hear(line, options));
    this.turn = work.catch(() => undefined);
    return work;
  }

  /** The face at a time in seconds, not before the last line; now without it. */
  weights(at?: number): Weights {
    return named(faceAt(this.current, this.timeOf(at), this.settings.decay));
  }

  private async hear(line: string, { context, strength = 1, at }: ActOptions): Promise<State> {
    await this.ready;
    this.timeOf(at);
    if (!(strength >= 0 && strength <= 1.5)) throw new RangeError(`expected a strength of 0 to 1.5, got ${strength}`);
    const { text, spoken, instructions, strength: factor } = await readLine(line, context, this.face);
    const amount = Math.min(strength * factor, 1.5);
    const weights = text ? await this.face.express(text, amount === 1 ? {} : { strength: amount }) : {};
    const hold = [...spoken].length / tables.timing.actor.characters;
    const expression = asFace(weights, "an expression");
    const time = this.timeOf(at); // the way to a face begins when it is known
    this.current = react(this.current, expression, time, this.settings, instructions, hold);
    return this.state;
  }

  private timeOf(at: number | undefined): number {
    if (at === undefined) return Math.max(this.clock() - this.since, this.current.at);
    if (!(at >= this.current.at && Number.isFinite(at))) {
      const got = `${at} where the last line came at ${this.current.at} s`;
      throw new RangeError(`expected a time in seconds that runs forward only, got ${got}`);
    }
    return at;
  }
}

/**
 * Read a line of dialogue: acts lead, then the context, then the words; Python's `read_line` says why.
 *
 * @param generator has `interpret` of a `Face`; without it nothing is taken for a physical instruction
 * @throws RangeError for a blank line, one that is no string, or a line or context beyond 2,000 characters
 */
export async function readLine(line: string, context?: string, generator: Partial<Generator> = {}): Promise<Line> {
  for (const [name, text] of [["line", line], ["context", context || "none"]] as const)
    if (typeof text !== "string" || !text.trim() || [...text.slice(0, 2 * LONGEST + 1)].length > LONGEST) {
      const got = typeof text === "string" ? `${[...text].length} characters` : typeof text;
      throw new RangeError(`expected a ${name} of words, up to ${LONGEST} characters, got ${got}`);
    }
  const segments = readActs(line);
  const acts = segments.filter((segment) => segment.kind === "act");
  const said = segments.filter((segment) => segment.kind === "said");
  const spoken = joined(said.map((segment) => segment.text).join(""));
  const instructions: Instruction[] = [];
  const names: string[] = [];
  for (const act of new Set(acts.map((segment) => segment.text))) {
    const order = generator.interpret ? await generator.interpret(act) : { rest: act, instructions: [] };
    instructions.push(...order.instructions);
    if (order.rest) names.push(await disarm(act, generator));
  }
  const feelings = names.join(", ");
  const hasWords = HAS_WORDS.test(spoken); // else symbols
  let words = hasWords || !feelings ? await disarm(spoken, generator) : "";
  const scene = context?.trim() ? await disarm(context.trim(), generator) : "";
  if (scene) words = words ? `${scene} "${words}"` : scene;
  const plain = hasWords && !scene ? `Matter-of-factly: ${words}` : words;
  const text = feelings ? (words ? `Feeling: ${feelings}. ${words}` : feelings) : plain;
  const strengths = acts.flatMap(({ strength }) => (strength === undefined ? [] : [strength]));
  return { text, spoken, instructions, strength: strengths.length ? Math.max(...strengths) : 1 };
}

const HAS_WORDS = new RegExp(`[${WORD}]`, "u");

/** A text in which no physical instruction is found: a joiner that BERT's tokenizer drops parts its words. */
async function disarm(text: string, generator: Partial<Generator>): Promise<string> {
  for (let round = 0; round < 3 && text && generator.interpret; round += 1) {
    const { instructions } = await generator.interpret(text);
    if (!instructions.length) break;
    const words = new Set(instructions.flatMap((step) => step.words.match(/\p{L}{2,}/gu) ?? []));
    if (!words.size) break;
    const choices = [...words].sort((one, other) => other.length - one.length).join("|");
    text = text.replace(new RegExp(`(?<![\\p{L}\\p{N}])(?:${choices})(?![\\p{L}\\p{N}])`, "gu"), (word) => {
      const [first] = word;
      return `${first}\u2060${word.slice(first.length)}`;
    });
  }
  return text;
}

function joined(text: string): string {
  return text.trim().replace(/\s+/gu, " ");
}
