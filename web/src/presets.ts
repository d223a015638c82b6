import table from "./presets.json" with { type: "json" };
import { blendshapeOf, type Names } from "./spelling.ts";
import { TARGETS } from "./weights.ts";

const PRESETS = Object.entries(table as Record<string, Record<string, number>>);
const EMOTIONS = ["happy", "angry", "sad", "relaxed", "surprised"];
const SWEEPS = 1000; // of coordinate descent at most, since vowels are much alike; it ends at changes below STEP
const STEP = 1e-6;

/** Amounts in 0..1 of a VRM's expressions, by their names. */
export type Amounts = Map<string, number>;

/**
 * How weights of ARKit's blendshapes become amounts of the expressions that a VRM has.
 *
 * A blendshape with an expression of its name (Perfect Sync, in any spelling) is that expression's amount. The rest is
 * said by presets: the amounts in 0..1 whose sum of `presets.json` comes nearest to the weights, by least squares. That
 * table is what `emo3d vrm` fills presets with (docs/vrm.md); relaxed stands for happy only where that is not there. An
 * emotion takes part where more than half of its weights have no expression of their own, a vowel, blink or gaze where
 * none has.
 *
 * @param names of the expressions that move something.
 * @throws RangeError where there is neither a blendshape nor a preset among them.
 */
export function spreader(names: Iterable<string>, mapping?: Names): (values: ArrayLike<number>) => Amounts {
  const own = new Map<number, string>();
  const spoken = new Map<string, string>(); // preset -> how the model calls it
  const all = [...names];
  for (const name of all) {
    const preset = PRESETS.find(([title]) => title.toLowerCase() === name.toLowerCase())?.[0];
    const unit = preset ? undefined : blendshapeOf(name, mapping);
    if (preset) spoken.set(preset, name);
    else if (unit) own.set(TARGETS.indexOf(unit), name);
  }
  if (spoken.has("happy")) spoken.delete("relaxed"); // which is a weak happy, so that both would share one smile
  if (spoken.has("blinkLeft") && spoken.has("blinkRight")) spoken.delete("blink"); // which is the sum of both
  const rows = PRESETS.flatMap(([title, weights]) => {
    const row = Float64Array.from(TARGETS, (name, place) => (own.has(place) ? 0 : (weights[name] ?? 0)));
    const whole = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
    const rest = row.reduce((sum, weight) => sum + weight, 0);
    const enough = EMOTIONS.includes(title) ? rest > whole / 2 : rest > whole - 1e-9;
    return spoken.has(title) && enough ? [{ name: spoken.get(title)!, row }] : [];
  });
  if (!own.size && !rows.length)
    throw new RangeError(
      `expected expressions of VRM's presets or of ARKit's names, got ${all.slice(0, 5).join(", ") || "none"}; ` +
        "`emo3d vrm avatar.vrm --out filled.vrm` fills them",
    );
  const gram = rows.map((one) => rows.map((other) => product(one.row, other.row)));
  return (values) => {
    const amounts = rows.map(() => 0);
    const wanted = rows.map(({ row }) => product(row, values));
    for (let sweep = 0, change = 1; sweep < SWEEPS && change > STEP; sweep++) {
      change = 0;
      for (const [k, weights] of gram.entries()) {
        const others = product(weights, amounts) - weights[k] * amounts[k];
        const amount = Math.min(1, Math.max(0, (wanted[k] - others) / weights[k]));
        change = Math.max(change, Math.abs(amount - amounts[k]));
        amounts[k] = amount;
      }
    }
    const single: [string, number][] = [...own].map(([place, name]) => [name, values[place]]);
    return new Map([...single, ...rows.map(({ name }, k): [string, number] => [name, amounts[k]])]);
  };
}

function product(one: ArrayLike<number>, other: ArrayLike<number>): number {
  let sum = 0;
  for (let k = 0; k < one.length; k++) sum += one[k] * other[k];
  return sum;
}
