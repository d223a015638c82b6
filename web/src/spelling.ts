import { TARGETS } from "./weights.ts";

/** A mapping of the user's own: a name as a character has it -> ARKit's, or null where it is no blendshape. */
export type Names = Record<string, string | null>;

const folded = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "");

const SPELLINGS = new Map(TARGETS.map((name) => [folded(name), name]));
for (const name of TARGETS) {
  const [, stem, side] = /^(.*)(Left|Right)$/.exec(name) ?? [];
  const short = folded(stem ?? "") + (side ?? "")[0]?.toLowerCase();
  if (side && !SPELLINGS.has(short)) SPELLINGS.set(short, name);
}

/**
 * The blendshape that a name in a file means, or undefined: twin of Python's `emo3d.names.blendshape_name`.
 *
 * Understood are any case, `Left` / `Right`, `_L` / `_R`, `.L` / `.R`, snake_case, and a prefix that ends in a dot, a
 * colon, a bar or underscores (`blendShape1.`, `head__`). `names` comes first; if it leads to no blendshape, that is a
 * RangeError.
 */
export function blendshapeOf(name: string, names?: Names): string | undefined {
  if (names && Object.hasOwn(names, name)) {
    const ours = names[name];
    if (ours !== null && !TARGETS.includes(ours))
      throw new RangeError(
        `the mapping of names gives ${quoted(name)} as ${quoted(ours)}, which is no ARKit blendshape`,
      );
    return ours ?? undefined;
  }
  if (name.length > 200 || name.toLowerCase() === "_neutral") return undefined;
  // The whole name first, then without its prefixes, the longest rest first.
  for (const start of [0, ...[...name.matchAll(/[.:|]|_+/g)].map((match) => match.index + match[0].length)]) {
    const blendshape = SPELLINGS.get(folded(name.slice(start)));
    // But not of jawOpen_mouthClose, which corrects both at once.
    if (blendshape) return blendshapeOf(name.slice(0, Math.max(start - 1, 0))) ? undefined : blendshape;
  }
  return undefined;
}

/** A text of a file in a message: in quotes, without control characters, at most 60 characters. */
export function quoted(text: unknown): string {
  return JSON.stringify(String(text).slice(0, 60));
}
