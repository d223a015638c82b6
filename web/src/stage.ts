import { Color, DirectionalLight, HemisphereLight, PerspectiveCamera, Scene, Vector3, WebGLRenderer } from "three";
import type { Character } from "./character.ts";
import type { Weights } from "./weights.ts";

// As the look `portrait-3` of Python's renderer: direction to the light, and its red, green and blue.
const LIGHTS: [number[], number[]][] = [
  [
    [-0.46, 0.56, 0.69],
    [0.77, 0.74, 0.69],
  ], // key: high, a little to one side
  [
    [0.75, 0.05, 0.66],
    [0.135, 0.13, 0.14],
  ], // fill
  [
    [0.85, 0.3, -0.45],
    [0.16, 0.17, 0.19],
  ], // from behind, along the dark side
];
const SKIES: [number[], number[]][] = [
  [
    [0, 1, 0.15],
    [0.11, 0.12, 0.135],
  ],
  [
    [0, 0, 1],
    [0.12, 0.115, 0.115],
  ], // from the viewer's side
  [
    [-0.46, 0.56, 0.69],
    [0.16, 0.13, 0.11],
  ], // the key's light that wraps around skin
];
const FIELD = 20; // degrees, of a square's height

let renderer: WebGLRenderer | undefined;

/** One renderer for all stages of a page, since browsers give a page few contexts of WebGL. */
function sharedRenderer(): WebGLRenderer {
  try {
    renderer ??= new WebGLRenderer({ alpha: true, antialias: true });
  } catch {
    throw new Error("expected WebGL, which draws the face; this browser has none or has turned it off");
  }
  return renderer;
}

/** A character in its light, seen by a camera that shows its head. */
export class Stage {
  private readonly scene = new Scene();
  private readonly camera = new PerspectiveCamera(FIELD);

  constructor(readonly character: Character) {
    sharedRenderer();
    this.scene.add(character.scene);
    for (const [direction, color] of LIGHTS) {
      const light = new DirectionalLight(new Color(...color), Math.PI);
      light.position.copy(far(character, direction));
      light.target.position.set(...character.frame.center);
      this.scene.add(light, light.target);
    }
    for (const [direction, color] of SKIES) {
      const sky = new HemisphereLight(new Color(...color), new Color(0, 0, 0), Math.PI);
      sky.position.set(direction[0], direction[1], direction[2]);
      this.scene.add(sky);
    }
  }

  /** Draws weights onto a canvas, over what it shows already, four pixels for each of it where `isFine`. */
  draw(canvas: HTMLCanvasElement | OffscreenCanvas, weights: Weights, isFine = false): void {
    const [width, height] = [canvas.width, canvas.height].map((side) => (isFine ? 2 * side : side));
    const view = sharedRenderer();
    const { width: widest, height: highest } = view.domElement;
    if (width > widest || height > highest) view.setSize(Math.max(width, widest), Math.max(height, highest), false);
    this.character.apply(weights);
    this.aim(width / height);
    view.setViewport(0, 0, width, height);
    view.render(this.scene, this.camera);
    const context = canvas.getContext("2d") as CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;
    context.imageSmoothingQuality = "high";
    const top = view.domElement.height - height;
    context.drawImage(view.domElement, 0, top, width, height, 0, 0, canvas.width, canvas.height);
  }

  dispose(): void {
    this.character.dispose();
  }

  private aim(aspect: number): void {
    const { center, half } = this.character.frame;
    const distance = half / Math.tan((FIELD * Math.PI) / 360) / Math.min(1, aspect);
    Object.assign(this.camera, { aspect, near: distance / 100, far: distance * 10 });
    this.camera.position.set(center[0], center[1], center[2] + distance);
    this.camera.updateProjectionMatrix();
  }
}

function far({ frame: { center, half } }: Character, [x, y, z]: number[]): Vector3 {
  return new Vector3(x, y, z).multiplyScalar(10 * half).add(new Vector3(...center));
}
