import { Color, DirectionalLight, HemisphereLight, PerspectiveCamera, Scene, WebGLRenderer } from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { loadCharacter, type Character } from "../../web/src/character.ts";
import { named, ordered, TARGETS, type Weights } from "../../web/src/weights.ts";

/** Seconds in which a face comes four fifths of the way. */
const SMOOTHING = 0.14;
/** Degrees from the lower to the upper edge, as a character's frame is meant. */
const FIELD = 20;
const PICTURE = 1024;
const FILM = { size: 320, frames: 16, delay: 60, hold: 900 };

/** A character in 3D, as large as its host; it moves towards the weights that it is given, and blinks. */
export class Stage {
  readonly #renderer: WebGLRenderer;
  readonly #scene = new Scene();
  readonly #camera = new PerspectiveCamera(FIELD, 1);
  readonly #controls: OrbitControls;
  readonly #still = matchMedia("(prefers-reduced-motion: reduce)");
  #character: Character | null = null;
  #goal: Float64Array = new Float64Array(TARGETS.length);
  #now: Float64Array = new Float64Array(TARGETS.length);
  #blink = { next: 2, at: -1 };
  #stale = true;
  #last = 0;

  /** @throws Error where the browser has no WebGL 2. */
  constructor(private readonly host: HTMLElement) {
    this.#renderer = new WebGLRenderer({ antialias: true, alpha: true, preserveDrawingBuffer: false });
    const { domElement: canvas } = this.#renderer;
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", "A face at rest");
    host.prepend(canvas);
    const key = new DirectionalLight(0xfff4e8, 2.1);
    key.position.set(0.6, 0.9, 1.4);
    const rim = new DirectionalLight(0xd8e0ff, 0.7);
    rim.position.set(-1.2, 0.4, 0.3);
    this.#scene.add(new HemisphereLight(0xffffff, 0x8d8aa0, 1.35), key, rim);
    this.#controls = new OrbitControls(this.#camera, canvas);
    Object.assign(this.#controls, { enablePan: false, enableZoom: false, minPolarAngle: 1.1, maxPolarAngle: 2 });
    this.#controls.addEventListener("change", () => (this.#stale = true));
    new ResizeObserver(() => this.#fit()).observe(host);
    this.#fit();
    requestAnimationFrame((time) => this.#frame(time));
  }

  /** What is said of the picture to those who do not see it. */
  set label(text: string) {
    this.#renderer.domElement.setAttribute("aria-label", text);
  }

  /** Show another character, out of a file or an address; a RangeError in a sentence where it is none. */
  async open(source: Blob | string): Promise<Character> {
    const character = await loadCharacter(source);
    if (this.#character) {
      this.#scene.remove(this.#character.scene);
      this.#character.dispose();
    }
    this.#character = character;
    this.#scene.add(character.scene);
    this.#look(character);
    this.#stale = true;
    return character;
  }

  /** The character's whole file with the face as what it opens with. */
  bake(weights: Weights): Blob {
    if (!this.#character) throw new Error("no character has come yet");
    this.#stale = true;
    return this.#character.bake(weights);
  }

  /** Move towards weights; at once where motion is not wanted. */
  act(weights: Weights): void {
    this.#goal = ordered(weights);
  }

  /** The face as it will be, as PNG. */
  async picture(): Promise<Blob> {
    return this.#drawn(PICTURE, this.#goal, (canvas) => new Promise((resolve, reject) =>
      canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error("this browser made no picture"))), "image/png"),
    ));
  }

  /** Frames from rest to the face, and their milliseconds; the page goes on between them. */
  async film(pause: () => Promise<void>): Promise<{ frames: ImageData[]; milliseconds: number[] }> {
    const frames: ImageData[] = [];
    for (let place = 0; place < FILM.frames; place++) {
      await pause();
      const share = place / (FILM.frames - 1);
      const eased = share * share * (3 - 2 * share);
      const weights = this.#goal.map((weight) => weight * eased);
      frames.push(await this.#drawn(FILM.size, weights, (canvas) => pixels(canvas)));
    }
    const milliseconds = frames.map((_, place) => (place === 0 ? 300 : place === frames.length - 1 ? FILM.hold : FILM.delay));
    return { frames, milliseconds };
  }

  async #drawn<Value>(size: number, values: Float64Array, take: (canvas: HTMLCanvasElement) => Value | Promise<Value>) {
    const { domElement } = this.#renderer;
    const before = { ratio: this.#renderer.getPixelRatio(), aspect: this.#camera.aspect };
    this.#renderer.setPixelRatio(1);
    this.#renderer.setSize(size, size, false);
    this.#camera.aspect = 1;
    this.#camera.updateProjectionMatrix();
    this.#scene.background = new Color(getComputedStyle(this.host).getPropertyValue("--sky").trim() || "#e4e6f3");
    this.#show(values);
    const copy = document.createElement("canvas");
    copy.width = copy.height = size;
    copy.getContext("2d", { willReadFrequently: true })!.drawImage(domElement, 0, 0);
    this.#scene.background = null;
    this.#renderer.setPixelRatio(before.ratio);
    this.#camera.aspect = before.aspect;
    this.#fit();
    this.#show(this.#now);
    return take(copy);
  }

  #show(values: Float64Array): void {
    this.#character?.apply(named(values));
    this.#renderer.render(this.#scene, this.#camera);
  }

  #fit(): void {
    const { clientWidth: width, clientHeight: height } = this.host;
    if (!width || !height) return;
    this.#renderer.setPixelRatio(Math.min(devicePixelRatio, 2));
    this.#renderer.setSize(width, height, false);
    this.#camera.aspect = width / height;
    this.#camera.updateProjectionMatrix();
    this.#stale = true;
  }

  #look({ frame: { center: [x, y, z], half } }: Character): void {
    const distance = half / Math.tan((FIELD * Math.PI) / 360);
    Object.assign(this.#camera, { near: distance / 20, far: distance * 20 });
    this.#camera.position.set(x, y, z + distance);
    this.#controls.target.set(x, y, z);
    this.#controls.update();
    this.#fit();
  }

  #frame(milliseconds: number): void {
    requestAnimationFrame((time) => this.#frame(time));
    const time = milliseconds / 1000;
    const seconds = Math.min(time - this.#last, 0.1);
    this.#last = time;
    const share = this.#still.matches ? 1 : 1 - Math.exp((-seconds * 1.6) / SMOOTHING);
    let far = 0;
    const shown = this.#now.map((weight, place) => {
      const step = this.#goal[place] - weight;
      far = Math.max(far, Math.abs(step));
      return Math.abs(step) < 5e-4 ? this.#goal[place] : weight + step * share;
    });
    this.#now = shown;
    const lids = this.#lids(time);
    if (far < 1e-6 && !lids && !this.#stale && this.#blink.at < 0) return;
    this.#stale = false;
    this.#show(lids ? closed(shown, lids) : shown);
    this.host.dataset.settled = String(far < 1e-3);
  }

  /** How far the lids are down for a blink, 0..1. */
  #lids(time: number): number {
    if (this.#still.matches) return 0;
    if (this.#blink.at < 0 && time > this.#blink.next) this.#blink.at = time;
    if (this.#blink.at < 0) return 0;
    const share = (time - this.#blink.at) / 0.22;
    if (share >= 1) {
      this.#blink = { next: time + 2.4 + 3.2 * Math.random(), at: -1 };
      this.#stale = true;
      return 0;
    }
    return Math.sin(Math.PI * share);
  }
}

const [LEFT, RIGHT] = [TARGETS.indexOf("eyeBlinkLeft"), TARGETS.indexOf("eyeBlinkRight")];

function closed(values: Float64Array, lids: number): Float64Array {
  const copy = values.slice();
  for (const place of [LEFT, RIGHT]) copy[place] = Math.max(copy[place], lids);
  return copy;
}

function pixels(canvas: HTMLCanvasElement): ImageData {
  return canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
}
