/**
 * What an actor feels over time, a fast layer over a slow mood: the twin of Python's `emo3d_lab.moods`.
 *
 * Sources of the numbers stand in `src/emo3d_lab/assets/timing.yaml`, from which `tables.json` is made.
 */
import { ease } from "./ease.ts";
import { applyInstructions, type Instruction } from "./instructions/apply.ts";
import tables from "./tables.json" with { type: "json" };
import { named, ordered, TARGETS, type Weights } from "./weights.ts";

/** What a state says that it is; states of other versions are refused. */
export const FORMAT = "emo3d-actor-1";

const FACES = ["temper", "mood", "start", "felt", "gesture"] as const;
const DIGITS = 1e9; // weights of a state are whole multiples of 1e-9: short in JSON, and the same in Python

/** All that an actor is at a time: plain JSON, weights by name without those that are 0. */
export interface State {
  format: string;
  at: number; // seconds on the actor's clock, when the last line came
  emotion: string; // the leading one of what is felt
  hold: number; // seconds that what is felt stays full, after its onset
  temper: Weights; // where the mood goes back to
  mood: Weights; // then, likewise all below
  start: Weights; // the face then, before the line
  felt: Weights; // what the line calls for, on top of mood and what was felt before
  gesture: Weights | null; // that face while it does what the line orders, such as a wink
}

/** What moves a mood and what is felt. */
export interface Settings {
  moodStrength: number; // factor on the mood's expression, 0..1
  carry: number; // share of what is felt that is left under a neutral line, 0..1
  decay: number; // factor on the emotions' half-lives, above 0
}

// Written out, since the package's types come without tables.json.
type Emotion = "neutral" | "happiness" | "surprise" | "sadness" | "anger" | "disgust" | "fear" | "contempt";

const { emotions: TIMES, gesture: GESTURE, actor: PACE } = tables.timing;
// Eyes that are shut or look away, and a tongue that is out, are no part of a mood, and are not carried on.
const LASTS = TARGETS.map((name) => (/^(eyeBlink|eyeLook|tongue)/.test(name) ? 0 : 1));
const OPPOSED = tables.opposed.map((pair) => pair.map((name) => TARGETS.indexOf(name)));
const [CLOSE, JAW] = ["mouthClose", "jawOpen"].map((name) => TARGETS.indexOf(name));
const UNITS = TARGETS.length - 1; // without the tongue
const PROTOTYPES = tables.prototypes.map(([emotion, weights]) => {
  const values = TARGETS.slice(0, UNITS).map((name) => (weights as Weights)[name] ?? 0);
  return { emotion: emotion as string, values, length: Math.hypot(...values) };
});

const rounded = (value: number): number => Math.floor(value * DIGITS + 0.5) / DIGITS;

/** An actor of whom nothing has been heard: its face is its mood, and that is its temper. */
export function restState(temper: ArrayLike<number>, at = 0): State {
  const face = sparse(temper);
  const faces = { temper: face, mood: face, start: face, felt: face, gesture: null };
  return { format: FORMAT, at, emotion: "neutral", hold: 0, ...faces };
}

/**
 * Check a state that comes from outside.
 *
 * @throws RangeError for another format or version, missing or unknown fields, times or weights out of range
 */
export function readState(state: unknown): State {
  const fields = (typeof state === "object" && state !== null ? state : {}) as Record<string, unknown>;
  const names = ["format", "at", "emotion", "hold", ...FACES];
  if (fields.format !== FORMAT || Object.keys(fields).sort().join() !== [...names].sort().join()) {
    const got = `${JSON.stringify(fields.format)?.slice(0, 40)} with ${Object.keys(fields).join(", ").slice(0, 300)}`;
    throw new RangeError(`expected a state of format "${FORMAT}" with ${names.join(", ")}, got ${got}`);
  }
  const { at, hold, emotion } = fields as unknown as State;
  const known = typeof emotion === "string" && Object.hasOwn(TIMES, emotion);
  if (!(Number.isFinite(at) && Number.isFinite(hold) && at >= 0 && at <= 1e13 && hold >= 0 && hold <= 600 && known)) {
    const got = `${at}, ${hold} and ${JSON.stringify(emotion)?.slice(0, 40)}`;
    throw new RangeError(`expected at of 0 to 1e13 s, hold of 0 to 600 s and an emotion in a state, got ${got}`);
  }
  for (const name of FACES)
    if (name !== "gesture" || fields[name] !== null) asFace(fields[name], `${name} of a state`);
  return structuredClone(fields) as unknown as State;
}

/** Weights by name as 52 numbers; a RangeError that says `what` is wrong with others. */
export function asFace(weights: unknown, what: string): Float64Array {
  if (typeof weights !== "object" || weights === null)
    throw new RangeError(`expected weights by name as ${what}, got ${weights === null ? "null" : typeof weights}`);
  try {
    return ordered(weights as Weights);
  } catch (error) {
    throw new RangeError(`${(error as Error).message} as ${what}`);
  }
}

/** The mood at a time, on its way back to the temper, 52 numbers. */
export function moodAt(state: State, at: number): Float64Array {
  const share = halving(at - state.at, PACE.mood_half);
  const [mood, temper] = [ordered(state.mood), ordered(state.temper)];
  return mood.map((value, place) => temper[place] + share * (value - temper[place]));
}

/** The share 0..1 that is left at a time of what was felt. */
export function leftAt(state: State, at: number, decay = 1): number {
  const emotion = state.emotion as Emotion;
  const since = at - state.at - TIMES[emotion].onset - state.hold;
  return halving(Math.max(since, 0), decay * PACE.halves[emotion]);
}

/** The face at a time, 52 numbers in 0..1: from where the line found it, by an onset, to what is left of the line. */
export function faceAt(state: State, at: number, decay = 1): Float64Array {
  const since = at - state.at;
  const left = leftAt(state, at, decay);
  const share = ease(since / TIMES[state.emotion as Emotion].onset);
  const [start, felt] = [ordered(state.start), ordered(state.felt)];
  let face = moodAt(state, at).map((mood, place) => {
    const aim = mood + left * (felt[place] - mood);
    return start[place] + share * (aim - start[place]);
  });
  if (state.gesture) {
    const gesture = ordered(state.gesture);
    const goes = ease((since - (GESTURE.length - GESTURE.onset)) / GESTURE.offset);
    const comes = ease(since / GESTURE.onset) * (1 - goes);
    face = face.map((value, place) => value + comes * (gesture[place] - value));
  }
  return face.map((value) => Math.min(Math.max(value, 0), 1));
}

/**
 * The state after a line that calls for an expression; Python's `react` says how they are mixed, and why.
 *
 * @param expression 52 numbers in 0..1
 * @param at seconds, not before the state's
 * @param settings of the actor
 * @param instructions what the line orders parts of the face to do, for about 1.5 s
 * @param hold seconds that it stays full at least
 */
export function react(
  state: State,
  expression: Float64Array,
  at: number,
  settings: Settings,
  instructions: readonly Instruction[] = [],
  hold = 0,
): State {
  const { moodStrength, carry, decay } = settings;
  const mood = moodAt(state, at);
  const left = carry * leftAt(state, at, decay);
  const before = ordered(state.felt);
  const lower = mood.map((value, place) => Math.max(left * before[place] * LASTS[place], value));
  const felt = layer(expression, lower, PACE.displacement);
  const share = PACE.mood_share * Math.max(...expression);
  const moved = mood.map((value, place) => value + share * (moodStrength * expression[place] * LASTS[place] - value));
  const emotion = leadingEmotion(felt);
  return {
    format: FORMAT,
    at,
    emotion,
    hold: Math.max(TIMES[emotion].apex, Math.min(hold, PACE.longest)),
    temper: state.temper,
    mood: sparse(moved),
    start: sparse(faceAt(state, at, decay)),
    felt: sparse(felt),
    gesture: instructions.length ? sparse(applyInstructions(felt, instructions)) : null,
  };
}

/** One expression over another, of which it puts a share aside as far as it is strong itself. */
export function layer(upper: Float64Array, lower: Float64Array, displacement: number): Float64Array {
  const share = 1 - displacement * Math.max(...upper);
  const both = upper.map((value, place) => 1 - (1 - value) * (1 - lower[place] * share));
  for (const [a, b] of OPPOSED) {
    const [weak, strong] = both[a] <= both[b] ? [a, b] : [b, a]; // as before: of opposed ones the weaker yields
    both[weak] *= 1 - both[strong];
  }
  const face = both.map((value) => Math.min(Math.max(value, 0), 1));
  face[CLOSE] = Math.min(face[CLOSE], face[JAW]);
  return face;
}

/** The emotion whose prototype a face is most alike by direction; neutral at rest. */
export function leadingEmotion(face: Float64Array): Emotion {
  const units = face.subarray(0, UNITS);
  if (Math.max(...units) < tables.still) return "neutral";
  const likeness = PROTOTYPES.map(
    ({ values, length }) => units.reduce((sum, unit, place) => sum + unit * values[place], 0) / length,
  );
  return PROTOTYPES[likeness.indexOf(Math.max(...likeness))].emotion as Emotion;
}

function halving(seconds: number, half: number): number {
  return Math.exp((-Math.LN2 * seconds) / half);
}

function sparse(values: ArrayLike<number>): Weights {
  return Object.fromEntries(Object.entries(named(Array.from(values, rounded))).filter(([, weight]) => weight !== 0));
}
