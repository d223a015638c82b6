/** What makes a face move from frame to frame: a smooth way to each new target, blinks, and speech. */
import { CHANNELS, checkFrame, Compositor, ROTATIONS } from "./compositor.ts";
import { ease } from "./ease.ts";
import tables from "./tables.json" with { type: "json" };
import { named, ordered, TARGETS, type Weights } from "./weights.ts";

/** How a face moves. */
export interface AnimatorOptions {
  /** Whether it blinks, or how often a minute: 17 at rest, 26 in conversation (Bentivoglio et al. 1997); true is 17. */
  blinks?: boolean | number;
  /** Seconds in which it goes nine tenths of the way to a new target, 0 to 10; 0.3 without it. */
  smoothing?: number;
  /** Whole number of 0 or more, from which blinks are drawn. */
  seed?: number;
}

const { rate, spread, close, shut, open } = tables.blinks; // sources: timing.yaml
const BLINK = close + shut + open;
const NINE_TENTHS = 3.8897; // 1 - (1 + x) exp(-x) = 0.9
const NEAR = 1e-4; // a weight that is so near to its target is there
const ASLEEP = 30; // seconds: a longer step is a page that was not shown
const SHUT = 0.5; // of a lid: it does not blink
const FRAMES = 60; // a second, of speech
const RELEASED = 3; // seconds after speech, when nothing of it is left
const SILENCE = new Float64Array(CHANNELS.length);
const LIDS = ["Left", "Right"].map((side) => TARGETS.indexOf(`eyeBlink${side}`));
const WIDE = ["Left", "Right"].map((side) => TARGETS.indexOf(`eyeWide${side}`));

/**
 * A face that goes to its target by a critically damped spring, in steps of any length.
 *
 * The spring is two low passes, one after the other, solved exactly: weights never leave the range of their targets,
 * and 30 and 60 steps a second are at the same place at the same time.
 */
export class Animator {
  /** Turns of head and eyes in radians, in the order of `ROTATIONS`; speech alone has any. */
  turns: Float64Array = new Float64Array(ROTATIONS.length);

  private readonly speed: number; // of the spring, per second
  private readonly perMinute: number;
  private readonly draw: () => number;
  private goal: Float64Array = new Float64Array(TARGETS.length);
  private middle = new Float64Array(TARGETS.length); // between the two low passes
  private place = new Float64Array(TARGETS.length);
  private until: number; // seconds to the next blink
  private since = Infinity; // seconds of the blink that is on
  private speech: Float64Array | undefined;
  private compositor: Compositor | undefined;
  private composed: Float64Array | undefined;
  private isSpeaking = false;
  private silence = 0; // seconds since speech was over
  private due = 0; // frames of speech that are to be composed

  /** @throws RangeError for options out of range */
  constructor({ blinks = true, smoothing = 0.3, seed = 1 }: AnimatorOptions = {}) {
    const perMinute = typeof blinks === "number" ? blinks : blinks ? rate : 0;
    if (!(perMinute >= 0 && perMinute <= 100))
      throw new RangeError(`expected 0 to 100 blinks a minute, got ${blinks}`);
    if (!(smoothing >= 0 && smoothing <= 10))
      throw new RangeError(`expected a smoothing of 0 to 10 s, got ${smoothing}`);
    if (!(Number.isSafeInteger(seed) && seed >= 0))
      throw new RangeError(`expected a seed that is a whole number of 0 or more, got ${seed}`);
    this.speed = NINE_TENTHS / smoothing;
    this.perMinute = perMinute;
    this.draw = randomly(seed);
    this.until = this.interval() * (0.1 + 0.9 * this.draw());
  }

  /** Go to these weights from now on; names left out are 0. A RangeError for unknown names and weights outside 0..1. */
  target(weights: Weights): void {
    this.goal = ordered(weights);
  }

  /**
   * Speak: lips are as these frames have them, and the expression is laid over them.
   *
   * @param frame 61 numbers in the order of `CHANNELS`, for as long as no other comes; undefined when speech is over
   * @throws RangeError for what `Compositor.step` refuses
   */
  speak(frame: ArrayLike<number> | undefined): void {
    if (frame) checkFrame("speech", frame);
    if (!frame && !this.speech) return;
    this.isSpeaking = Boolean(frame);
    this.speech = Float64Array.from(frame ?? SILENCE);
    this.compositor ??= new Compositor(FRAMES);
  }

  /**
   * The face some seconds later.
   *
   * @param seconds since the last step, 0 or more; a page that was hidden for minutes goes on without a burst of blinks
   * @throws RangeError for seconds that are no number of 0 or more
   */
  step(seconds: number): Weights {
    if (!(Number.isFinite(seconds) && seconds >= 0))
      throw new RangeError(`expected seconds of 0 or more, got ${seconds}: begin with the first frame's own time`);
    this.follow(seconds);
    const face = this.place.slice();
    const lid = this.blink(seconds);
    if (lid > 0) {
      for (const place of LIDS) face[place] = 1 - (1 - face[place]) * (1 - lid);
      for (const place of WIDE) face[place] *= 1 - lid;
    }
    return named(this.speech ? this.lay(face, seconds) : face);
  }

  private follow(seconds: number): void {
    const reach = this.speed * seconds;
    const left = this.speed === Infinity ? 0 : Math.exp(-reach);
    for (let k = 0; k < this.goal.length; k += 1) {
      const goal = this.goal[k];
      const [place, middle] = [this.place[k] - goal, this.middle[k] - goal];
      const isThere = left === 0 || (Math.abs(place) < NEAR && Math.abs(middle) < NEAR);
      this.place[k] = isThere ? goal : Math.min(Math.max(goal + (place + reach * middle) * left, 0), 1);
      this.middle[k] = isThere ? goal : goal + middle * left;
    }
  }

  /** How far a blink shuts the lids, 0..1. */
  private blink(seconds: number): number {
    this.since += seconds;
    this.until -= seconds;
    if (seconds > ASLEEP) [this.since, this.until] = [Infinity, this.interval()];
    while (this.until <= 0) {
      const isShut = Math.max(...LIDS.map((place) => this.place[place])) >= SHUT;
      if (this.since >= BLINK && !isShut) this.since = -this.until;
      this.until += this.interval();
    }
    const opening = ease((this.since - close - shut) / open);
    return this.since < BLINK ? ease(this.since / close) * (1 - opening) : 0;
  }

  /** Seconds from one blink to the next, log-normal. */
  private interval(): number {
    if (!this.perMinute) return Infinity;
    const normal = Math.sqrt(-2 * Math.log(1 - this.draw())) * Math.cos(2 * Math.PI * this.draw());
    return Math.max((60 / this.perMinute) * Math.exp(spread * normal - spread ** 2 / 2), 1.5 * BLINK);
  }

  /** An expression over what is spoken; frames that were due while a page slept are left out. */
  private lay(face: Float64Array, seconds: number): Float64Array {
    this.silence = this.isSpeaking ? 0 : this.silence + seconds;
    if (this.silence > RELEASED) {
      this.speech = this.compositor = this.composed = undefined;
      this.turns = new Float64Array(ROTATIONS.length);
      return face;
    }
    this.due = Math.min(this.due + FRAMES * seconds, FRAMES);
    const emotion = Float64Array.from([...face, ...new Float64Array(ROTATIONS.length)]);
    for (; this.due >= 1 || !this.composed; this.due -= 1) this.composed = this.compositor!.step(this.speech!, emotion);
    this.due = Math.max(this.due, 0);
    this.turns = this.composed.slice(TARGETS.length);
    return this.composed.subarray(0, TARGETS.length);
  }
}

/** Numbers in 0..1 from a seed (Mulberry32 by Tommy Ettinger, public domain). */
function randomly(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
