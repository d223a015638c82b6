import { TARGETS } from "../../web/src/weights.ts";

/** Names of the face's parts, each with the start of the blendshapes that move it; the first that fits counts. */
const STARTS: readonly (readonly [string, RegExp])[] = [
  ["Brows", /^brow/],
  ["Gaze", /^eyeLook/],
  ["Eyes", /^eye/],
  ["Cheeks and nose", /^(cheek|nose)/],
  ["Jaw and tongue", /^(jaw|tongue)/],
  ["Mouth", /^mouth/],
];

/** The 52 blendshapes by the part of the face that they move. */
export const REGIONS: ReadonlyMap<string, readonly string[]> = new Map(
  STARTS.map(([region]) => [region, TARGETS.filter((name) => regionOf(name) === region)]),
);

function regionOf(name: string): string | undefined {
  return STARTS.find(([, start]) => start.test(name))?.[0];
}

/** `mouthSmileLeft` as "mouth smile left". */
export function spelt(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

/** The blendshape of the other side of the face, or null; `jawLeft` and `mouthLeft` move one thing to two sides. */
export function twin(name: string): string | null {
  if (/^(jaw|mouth)(Left|Right)$/.test(name)) return null;
  const other = name.replace(/(Left|Right)$/, (side) => (side === "Left" ? "Right" : "Left"));
  if (other === name || !TARGETS.includes(other)) return null;
  return other;
}
