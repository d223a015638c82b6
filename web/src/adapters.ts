import { spreader } from "./presets.ts";
import { blendshapeOf, quoted, type Names } from "./spelling.ts";
import { ordered, TARGETS, type Weights } from "./weights.ts";

export type { Names } from "./spelling.ts";

/** Shows weights on a character; called again and again. A name that is none of ARKit's is a RangeError. */
export type Adapter = (weights: Weights) => void;

/** What is asked of three.js: an Object3D, and meshes under it. */
export interface Root {
  traverse(visit: (thing: object) => void): void;
}
interface Mesh {
  name?: string;
  morphTargetDictionary?: Record<string, number>;
  morphTargetInfluences?: number[];
}

/**
 * Weights to all morph targets with ARKit's names below an object of three.js (head, teeth, lashes), in any spelling.
 *
 * @param names a mapping for targets with other names.
 * @throws RangeError where no target has such a name, or two of one mesh mean the same blendshape.
 */
export function three(root: Root, names?: Names): Adapter {
  const slots: { influences: number[]; place: number; unit: number }[] = [];
  const others: string[] = [];
  root.traverse((thing) => {
    const { name: mesh, morphTargetDictionary: places = {}, morphTargetInfluences: influences = [] } = thing as Mesh;
    const units = new Map<string, string>();
    for (const [name, place] of Object.entries(places)) {
      const unit = blendshapeOf(name, names);
      if (!unit) others.push(name);
      else if (units.has(unit))
        throw new RangeError(
          `mesh ${quoted(mesh)} has ${unit} twice, as ${quoted(units.get(unit))} and ${quoted(name)}: ` +
            "a mapping of names can give one as null",
        );
      else {
        units.set(unit, name);
        slots.push({ influences, place, unit: TARGETS.indexOf(unit) });
      }
    }
  });
  if (!slots.length)
    throw new RangeError(
      `expected morph targets with ARKit's names, jawOpen and so on, got ` +
        (others.length ? `${others.length} others, ${others.slice(0, 3).map(quoted).join(", ")}` : "none at all"),
    );
  return (weights) => {
    const values = ordered(weights);
    for (const { influences, place, unit } of slots) influences[place] = values[unit];
  };
}

/** What is asked of `@pixiv/three-vrm`: a VRM. */
export interface Avatar {
  expressionManager?: {
    expressionMap: Record<string, { binds: readonly unknown[] }>;
    setValue(name: string, weight: number): void;
  };
}

/**
 * Weights to the expressions of a VRM, which its `update(seconds)` shows: those of ARKit's names where there are such
 * (Perfect Sync), presets for the rest; see `spreader`. Expressions that move nothing are left out.
 *
 * @throws RangeError for a VRM without expressions that could show anything.
 */
export function vrm(avatar: Avatar, names?: Names): Adapter {
  const manager = avatar.expressionManager;
  const titles = Object.entries(manager?.expressionMap ?? {}).filter(([, expression]) => expression.binds.length);
  const spread = spreader(
    titles.map(([title]) => title),
    names,
  );
  return (weights) => {
    for (const [name, amount] of spread(ordered(weights))) manager!.setValue(name, amount);
  };
}

/** What is asked of `@met4citizen/talkinghead`: a TalkingHead with an avatar. */
export interface Head {
  getMorphTargetNames(): string[];
  setMood(mood: string): void;
  setBaselineValue(name: string, weight: number | null): void;
  setFixedValue(name: string, weight: number | null): void;
}

const GAZE = 0.2; // of a look that is meant; below, the head's own eye contact goes on

/**
 * Weights to a TalkingHead, as its mood: it goes on to blink, look about and speak over them.
 *
 * @param options.hold true fixes all 52 instead, for weights of an Animator: no blinks or looks of its own then.
 * @throws RangeError for an avatar without ARKit's morph targets.
 */
export function talkinghead(head: Head, { hold = false } = {}): Adapter {
  const names = head.getMorphTargetNames();
  if (!TARGETS.some((name) => names.includes(name)))
    throw new RangeError(
      `expected an avatar with ARKit's morph targets, got ${names.slice(0, 3).join(", ") || "none"}`,
    );
  head.setMood("neutral");
  return (weights) => {
    for (const [place, weight] of ordered(weights).entries()) {
      const name = TARGETS[place];
      if (hold) head.setFixedValue(name, weight);
      else if (name.startsWith("eyeLook")) head.setFixedValue(name, weight < GAZE ? null : weight);
      else head.setBaselineValue(name, weight);
    }
  };
}
