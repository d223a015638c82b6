import { LIMITS, most, type Entry } from "./limits.ts";

/** One morph target of a mesh, and how far an expression moves it. */
export interface Bind {
  mesh: number;
  target: number;
  weight: number;
}

// Of VRM 0.x, as 1.0 calls them.
const PRESETS = new Map(Object.entries({
  ...{ joy: "happy", sorrow: "sad", fun: "relaxed", a: "aa", i: "ih", u: "ou", e: "ee", o: "oh" },
  ...{ blink_l: "blinkLeft", blink_r: "blinkRight", angry: "angry", blink: "blink", neutral: "neutral" },
  ...{ lookup: "lookUp", lookdown: "lookDown", lookleft: "lookLeft", lookright: "lookRight" },
}));

/**
 * What the expressions of a VRM, 1.0 or 0.x, move: by the names of 1.0; binds that lead nowhere are left out.
 *
 * @throws RangeError for more than `LIMITS.binds`.
 */
export function expressionsOf(extensions: Entry, nodes: Entry[], meshes: Entry[]): Record<string, Bind[]> {
  const { VRMC_vrm: vrm, VRM: old } = extensions;
  const named: [string, Entry[]][] = [];
  for (const [name, entry] of Object.entries<Entry>({ ...vrm?.expressions?.custom, ...vrm?.expressions?.preset }))
    named.push([
      name,
      (entry.morphTargetBinds ?? []).map((bind: Entry) => ({ ...bind, mesh: nodes[bind.node]?.mesh })),
    ]);
  for (const { name, presetName, binds = [] } of vrm ? [] : (old?.blendShapeMaster?.blendShapeGroups ?? []))
    named.push([
      PRESETS.get(String(presetName).toLowerCase()) ?? String(name),
      binds.map((bind: Entry) => ({ ...bind, weight: bind.weight / 100 })),
    ]);
  most(
    "expressions and binds",
    named.reduce((sum, [, binds]) => sum + binds.length, named.length),
    LIMITS.binds,
  );
  const isBind = ({ mesh, index, weight }: Entry) =>
    Number.isFinite(weight) && Number.isInteger(index) && index >= 0 && index < targetsOf(meshes[mesh]);
  return Object.fromEntries(
    named.map(([name, binds]) => [
      name,
      binds.filter(isBind).map(({ mesh, index, weight }) => ({ mesh, target: index, weight })),
    ]),
  );
}

function targetsOf(mesh: Entry | undefined): number {
  return mesh?.primitives[0]?.targets?.length ?? 0;
}
