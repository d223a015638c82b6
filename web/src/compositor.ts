/**
 * An emotion laid over speech frame by frame: the twin of Python's `emo3d_lab.clips.speech.Compositor`.
 *
 * How much of a unit is the speech's follows from how far it moves the inner lips; `tables.json` has what was measured.
 */
import tables from "./tables.json" with { type: "json" };
import { TARGETS } from "./weights.ts";

/** Rotations of head and eyes in radians: yaw is positive to the face's own left, pitch down, roll to its own right. */
export const ROTATIONS = ["head", "leftEye", "rightEye"].flatMap((part) =>
  ["Yaw", "Pitch", "Roll"].map((axis) => `${part}${axis}`),
);
/** The 61 numbers of a frame: 52 weights in 0..1, then nine angles. */
export const CHANNELS: readonly string[] = [...TARGETS, ...ROTATIONS];

/** How a compositor lays emotion over speech. */
export interface CompositorOptions {
  /** Units whose share of the speech, 0..1, is another than the table's. */
  priority?: Record<string, number>;
  /** Seconds in which the emotion gets 63% of the mouth back when speech stops; 0.25 without it. */
  release?: number;
}

const UNITS = TARGETS.length;
const TABLE = tables.composing;
const { part, closed, open, parts, loose, bite, quiet, loud, blink, over, settle } = TABLE.numbers;
const marked = (places: number[]) => TARGETS.map((_, place) => (places.includes(place) ? 1 : 0));
const [WIDENS, NARROWS] = [marked(TABLE.widens), marked(TABLE.narrows)];
const WIDENING = TABLE.opening.map((opening, place) => opening * WIDENS[place]);
const sides = (stem: string) => ["Left", "Right"].map((side) => TARGETS.indexOf(stem + side));
const [BLINKS, WIDE, UPPER] = [sides("eyeBlink"), sides("eyeWide"), sides("mouthUpperUp")];
const [JAW, CLOSE] = [TARGETS.indexOf("jawOpen"), TARGETS.indexOf("mouthClose")];

const within = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);
const dot = (one: readonly number[], other: ArrayLike<number>) =>
  one.reduce((sum, value, place) => sum + value * other[place], 0);

/** The lids of one track: where they rest, and the blinks above that. */
class Lids {
  since = Infinity; // seconds since the last blink that was shown
  private rest: number[] | undefined;
  private blinks = false;
  private withheld = false;

  /** Both lids of a frame, without a blink that began while the other track's was on or just over. */
  step(lids: number[], collides: boolean, seconds: number): number[] {
    const before = this.rest ?? lids;
    const rest = lids.map((lid, place) => Math.min(lid, before[place] + settle * seconds));
    const heights = lids.map((lid, place) => lid - rest[place]);
    this.rest = rest;
    if (Math.max(...heights) < over) this.blinks = this.withheld = false;
    else if (Math.max(...heights) >= blink && !this.blinks) [this.blinks, this.withheld] = [true, collides];
    this.since = this.blinks && !this.withheld ? 0 : this.since + seconds;
    const limit = this.withheld ? blink : 1;
    return rest.map((low, place) => low + Math.min(heights[place], limit));
  }
}

/** Lays an emotion over speech; what comes later is never needed. */
export class Compositor {
  /** Frames per second. */
  readonly rate: number;
  private readonly priority: number[];
  private readonly fade: number;
  private activity = 0;
  private lids: [Lids, Lids] = [new Lids(), new Lids()];

  /**
   * @param rate frames per second, 1 to 240
   * @throws RangeError for another rate, an unknown unit, a priority outside 0..1 or a release that is not above 0
   */
  constructor(rate: number, { priority = {}, release = TABLE.release }: CompositorOptions = {}) {
    if (!(rate >= 1 && rate <= 240)) throw new RangeError(`expected 1 to 240 frames per second, got ${rate}`);
    for (const [name, share] of Object.entries(priority)) {
      if (!TARGETS.includes(name))
        throw new RangeError(`expected units of ARKit's 52 with a priority, got ${JSON.stringify(name).slice(0, 60)}`);
      if (!(share >= 0 && share <= 1)) throw new RangeError(`expected a priority in 0..1 of ${name}, got ${share}`);
    }
    if (!(release > 0 && release < Infinity)) throw new RangeError(`expected a release above 0 s, got ${release}`);
    this.rate = rate;
    this.priority = TARGETS.map((name, place) => priority[name] ?? TABLE.priority[place]);
    this.fade = Math.exp(-1 / (rate * release));
  }

  /** Forget the frames before, as for another recording. */
  reset(): void {
    this.activity = 0;
    this.lids = [new Lids(), new Lids()];
  }

  /**
   * Compose one frame.
   *
   * @param speech 61 weights and angles in the order of `CHANNELS`; what speech does not move is 0
   * @param emotion likewise
   * @returns 61 numbers; turns of head and eyes are added, and end where a neck and eyes do
   * @throws RangeError for other than 61 finite numbers in their ranges; the message names the channel
   */
  step(speech: ArrayLike<number>, emotion: ArrayLike<number>): Float64Array {
    const [track, felt] = [checkFrame("speech", speech), checkFrame("emotion", emotion)];
    const [spoken, shown] = [track.slice(0, UNITS), felt.slice(0, UNITS)];
    const level = (Math.max(...TABLE.mouth.map((place) => spoken[place])) - quiet) / (loud - quiet);
    this.activity = Math.max(Math.min(level, 1), this.activity * this.fade);
    const gap = dot(TABLE.opening, spoken);
    const closure = within((open - gap) / (open - closed), 0, 1);
    // Of the gap that speech wants, the emotion may make a part in its own way.
    const demand = WIDENING.reduce((sum, width, place) => sum + width * this.priority[place] * shown[place], 0);
    const grant = demand > 0 ? Math.min(1, (part * Math.max(gap, 0)) / demand) : 0;
    const [jaw, lip] = parted(spoken);
    for (let place = 0; place < UNITS; place += 1) {
      const share = Math.max(
        this.priority[place] * (1 - grant * WIDENS[place]),
        closure * TABLE.inClosures[place],
        loose * closure * Math.max(jaw, lip) * NARROWS[place],
      );
      shown[place] *= 1 - this.activity * share;
    }
    for (const [one, other] of TABLE.opposed) spoken[one] *= 1 - shown[other];
    const units = this.keepGap(spoken, shown, gap, closure);
    this.closeLids(units, track, felt);
    const turns = TABLE.turns.map((turn, place) => within(track[UNITS + place] + felt[UNITS + place], -turn, turn));
    return Float64Array.from([...units, ...turns]);
  }

  /** Both together, with the gap between the lips that speech alone has, in mm. */
  private keepGap(speech: Float64Array, emotion: Float64Array, gap: number, closure: number): Float64Array {
    const units = emotion.map((value, place) => value + speech[place] * (1 - value));
    const excess = dot(TABLE.opening, units) - gap;
    const reserve = dot(WIDENING, speech);
    if (excess > 0 && reserve > 0) {
      const share = this.activity * (1 - closure) * Math.min(1, excess / reserve);
      return emotion.map((value, place) => value + speech[place] * (1 - share * WIDENS[place]) * (1 - value));
    }
    const lack = Math.max(0, -excess);
    const [jaw, lip] = parted(speech);
    for (const [places, height] of [[[JAW], jaw * lack], [UPPER, lip * Math.min(lack, bite)]] as const)
      for (const place of places)
        units[place] = Math.min(units[place] + (this.activity * height) / TABLE.both[places[0]], 1);
    return units;
  }

  /** One blink at a time, the higher of both lids; and a lid that blinks is not wide. */
  private closeLids(units: Float64Array, speech: Float64Array, emotion: Float64Array): void {
    const seconds = 1 / this.rate;
    const [spoken, shown] = this.lids;
    const own = spoken.step(BLINKS.map((place) => speech[place]), shown.since < TABLE.blinksApart, seconds);
    const other = shown.step(BLINKS.map((place) => emotion[place]), spoken.since < TABLE.blinksApart, seconds);
    BLINKS.forEach((place, side) => {
      units[place] = Math.max(own[side], other[side]);
      units[WIDE[side]] *= 1 - units[place];
    });
  }
}

/** By how much jaw and upper lip hold the lips apart, 0..1; the lip counts where the jaw is up, as in FF. */
function parted(speech: Float64Array): [number, number] {
  const jaw = within((speech[JAW] - speech[CLOSE]) / parts, 0, 1);
  return [jaw, Math.min(Math.max(...UPPER.map((place) => speech[place])) / parts, 1) * (1 - jaw)];
}

/** A frame as numbers within their ranges; a RangeError names the channel that is not. */
export function checkFrame(whose: string, values: ArrayLike<number>): Float64Array {
  if (values?.length !== CHANNELS.length)
    throw new RangeError(`expected a frame of ${CHANNELS.length} numbers of the ${whose}, got ${values?.length}`);
  return Float64Array.from(CHANNELS, (name, place) => {
    const value = values[place];
    const [low, high] = place < UNITS ? [0, 1] : [-Math.PI, Math.PI];
    if (!(value >= low - TABLE.rounding && value <= high + TABLE.rounding)) {
      const limits = place < UNITS ? "0..1" : "-pi..pi (radians)";
      throw new RangeError(`expected ${name} of the ${whose} in ${limits}, got ${value}`);
    }
    return within(value, low, high);
  });
}
