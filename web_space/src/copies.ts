import { ordered, TARGETS, type Weights } from "../../web/src/weights.ts";

// The order of Live Link Face, as in takes of the app; then head and eyes, which a still face does not turn.
const LIVE_LINK = `
  eyeBlinkLeft eyeLookDownLeft eyeLookInLeft eyeLookOutLeft eyeLookUpLeft eyeSquintLeft eyeWideLeft eyeBlinkRight
  eyeLookDownRight eyeLookInRight eyeLookOutRight eyeLookUpRight eyeSquintRight eyeWideRight jawForward jawRight jawLeft
  jawOpen mouthClose mouthFunnel mouthPucker mouthRight mouthLeft mouthSmileLeft mouthSmileRight mouthFrownLeft
  mouthFrownRight mouthDimpleLeft mouthDimpleRight mouthStretchLeft mouthStretchRight mouthRollLower mouthRollUpper
  mouthShrugLower mouthShrugUpper mouthPressLeft mouthPressRight mouthLowerDownLeft mouthLowerDownRight mouthUpperUpLeft
  mouthUpperUpRight browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft
  cheekSquintRight noseSneerLeft noseSneerRight tongueOut
`
  .trim()
  .split(/\s+/);
const POSE = "HeadYaw,HeadPitch,HeadRoll,LeftEyeYaw,LeftEyePitch,LeftEyeRoll,RightEyeYaw,RightEyePitch,RightEyeRoll";

const rounded = (weights: Weights): Weights => {
  ordered(weights); // names and ranges, checked
  return Object.fromEntries(TARGETS.map((name) => [name, Number((weights[name] ?? 0).toFixed(4))]));
};

/** All 52 weights as a JSON object, four decimals. */
export function json(weights: Weights): string {
  return JSON.stringify(rounded(weights), null, 1);
}

/** A header and one row of Live Link Face's CSV, at time 0. */
export function liveLink(weights: Weights): string {
  const values = rounded(weights);
  const capital = (name: string) => name[0].toUpperCase() + name.slice(1);
  const header = ["Timecode", "BlendshapeCount", ...LIVE_LINK.map(capital), POSE].join(",");
  const units = [...LIVE_LINK.map((name) => values[name]), ...Array<number>(9).fill(0)];
  return `${header}\n${["00:00:00:00.000", "61", ...units.map((unit) => unit.toFixed(8))].join(",")}\n`;
}

/** JavaScript that puts the weights that are not 0 onto a mesh of three.js with ARKit's names. */
export function script(weights: Weights): string {
  const moved = Object.fromEntries(Object.entries(rounded(weights)).filter(([, weight]) => weight > 0));
  return `const weights = ${JSON.stringify(moved, null, 1)};
for (const [name, place] of Object.entries(mesh.morphTargetDictionary)) {
  mesh.morphTargetInfluences[place] = weights[name] ?? 0;
}
`;
}

/** HTML that shows the face of an address, which has a fragment, inside another page. */
export function frame(address: string, text: string): string {
  const url = new URL(address);
  url.searchParams.set("embed", "");
  const escaped = (value: string) => value.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  const title = escaped(text.slice(0, 100) || "a face at rest");
  return `<iframe src="${escaped(url.href)}" title="${title}" width="420" height="480" loading="lazy"></iframe>\n`;
}

/** HTML of a page of one's own that carries the npm package's element. */
export function element(text: string, strength: number): string {
  const escaped = text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
  return `<!-- npm install @emo3d/face; the model's folder lies beside your page -->
<script type="module" src="node_modules/@emo3d/face/dist/element.js"></script>
<emo3d-face model="model/" text="${escaped}" strength="${strength}"></emo3d-face>
`;
}
