import { beside, folderOf } from "./addresses.ts";
import { Animator } from "./animator.ts";
import type { Face } from "./face.ts";
import type { GifOptions } from "./gif.ts";
import type { Stage } from "./stage.ts";
import { ordered, named, TARGETS, type Weights } from "./weights.ts";

const STYLE = `
  :host { display: inline-block; position: relative; width: 320px; aspect-ratio: 1; overflow: hidden;
    background: #dadee4; color: #20242c; font: 0.875rem/1.4 system-ui, sans-serif; }
  :host([hidden]) { display: none; }
  canvas { display: block; width: 100%; height: 100%; }
  p { position: absolute; inset: auto 0 0; margin: 0; padding: 0.5rem 0.75rem; background: rgb(255 255 255 / 0.9);
    color: #20242c; overflow-wrap: anywhere; }
  p:empty { display: none; }`;
const REST = named(new Float64Array(TARGETS.length));
const FINE = 2; // pixels of the canvas for one of the page: multisampling alone leaves pinholes along folds
const LONGEST = 0.1; // seconds of a step; after a pause the face goes on from where it was
const WAIT = 0.15; // seconds after a keystroke in which another may follow

const Base = globalThis.HTMLElement ?? (class {} as typeof HTMLElement); // where pages are made without a browser
let count = 0; // of elements
const faces = new Map<string, Promise<Face>>();

/** One Face for all elements of a page with the same model. */
function sharedFace(url: string, onProgress: (loaded: number, total: number) => void): Promise<Face> {
  let face = faces.get(url);
  if (!face) {
    face = import("./face.ts").then(({ Face }) => Face.load(url, { onProgress }));
    face.catch(() => faces.delete(url)); // so that another element, or a later try, loads it again
    faces.set(url, face);
  }
  return face;
}

/**
 * `<emo3d-face text="she is thrilled" model="URL" character="URL" strength="1">`: a character that shows a text.
 *
 * Nothing is loaded before it comes into view. `model` is a folder of `emo3d export MODEL --onnx FOLDER`, and without a
 * `character` its `head.glb` is shown. Events: `expression` (`detail`: text and weights), `progress` (bytes of the
 * model), `error` (a sentence in `message`).
 */
export class FaceElement extends Base {
  static readonly observedAttributes = ["text", "strength", "model", "character", "label"];

  private readonly canvas = document.createElement("canvas");
  private readonly status = document.createElement("p");
  private readonly still = matchMedia("(prefers-reduced-motion: reduce)");
  private readonly sight = new IntersectionObserver((entries) => this.see(entries.at(-1)!.isIntersecting));
  private readonly extent = new ResizeObserver(() => this.resize());
  private readonly animator = new Animator({ seed: ++count }); // so that no two blink together
  private goal: Weights = REST;
  private drawn: Weights | undefined;
  private stage: Stage | undefined;
  private ownFace: Face | undefined;
  private file: Blob | undefined;
  private work: Promise<void> | undefined;
  private isSeen = false;
  private frame = 0;
  private time = 0;
  private version = { stage: 0, text: 0 };
  private readonly problems = { stage: "", text: "" };

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet(); // no <style>: a strict policy forbids it
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    this.canvas.setAttribute("role", "img");
    this.status.setAttribute("role", "status");
    root.append(this.canvas, this.status);
  }

  get text(): string {
    return this.getAttribute("text") ?? "";
  }
  set text(text: string) {
    this.setAttribute("text", text);
  }

  get model(): string {
    return this.getAttribute("model") ?? "";
  }
  set model(url: string) {
    this.setAttribute("model", url);
  }

  get strength(): number {
    return Number(this.getAttribute("strength")?.replace(/^\s*$/, "none") ?? 1);
  }
  set strength(strength: number) {
    this.setAttribute("strength", String(strength));
  }

  /** What the face shows or is turning to; setting it needs no model. */
  get weights(): Weights {
    return { ...this.goal };
  }
  set weights(weights: Weights) {
    ordered(weights);
    this.version.text += 1; // what is still being computed comes too late
    this.show({ ...REST, ...weights });
  }

  /** The model once it is there; one of your own can be set. */
  get face(): Face | undefined {
    return this.ownFace;
  }
  set face(face: Face | undefined) {
    this.ownFace = face;
    this.begin();
  }

  /** The character's file or URL. A file that a visitor gives stays in the browser. */
  get character(): Blob | string | null {
    return this.file ?? this.getAttribute("character");
  }
  set character(source: Blob | string | null) {
    this.file = source instanceof Blob ? source : undefined;
    if (typeof source === "string") this.setAttribute("character", source);
    else if (!source) this.removeAttribute("character");
    else this.change("character");
  }

  /** What is to be said of the character, a sentence each, such as shapes that it lacks. */
  get notes(): readonly string[] {
    return this.stage?.character.notes ?? [];
  }

  /** A picture of what it shows, PNG, `size` pixels square (16 to 2,048). */
  async picture(size = 512): Promise<Blob> {
    if (!(size >= 16 && size <= 2048)) throw new RangeError(`expected a size of 16 to 2048 pixels, got ${size}`);
    const stage = await this.settled();
    const canvas = new OffscreenCanvas(size, size);
    const context = canvas.getContext("2d")!;
    context.fillStyle = getComputedStyle(this).backgroundColor;
    context.fillRect(0, 0, size, size);
    stage.draw(canvas, this.goal, size <= 1024);
    this.drawn = undefined;
    return canvas.convertToBlob({ type: "image/png" });
  }

  /** How the expression comes and goes, as a GIF. */
  async gif(options?: GifOptions): Promise<Blob> {
    const stage = await this.settled();
    const { film } = await import("./gif.ts");
    const color = getComputedStyle(this).backgroundColor;
    const gif = await film(stage, this.goal, /, 0\)$/.test(color) ? "#dadee4" : color, options);
    this.drawn = undefined;
    return gif;
  }

  /** The character's whole file, with the expression as its default weights. */
  async glb(): Promise<Blob> {
    const stage = await this.settled();
    this.drawn = undefined;
    return stage.character.bake(this.goal);
  }

  connectedCallback(): void {
    this.label();
    this.sight.observe(this);
    this.extent.observe(this);
    this.still.addEventListener("change", this.wake);
  }

  disconnectedCallback(): void {
    this.sight.disconnect();
    this.extent.disconnect();
    this.still.removeEventListener("change", this.wake);
    this.see(false);
    this.clear();
    this.work = undefined;
  }

  attributeChangedCallback(name: string): void {
    if (name === "character") this.file = undefined;
    if (name === "model") this.ownFace = undefined;
    this.label();
    this.change(name);
  }

  private change(name: string): void {
    if (!this.work || name === "label") return; // not seen yet: `begin` reads all attributes
    if (name === "character" || (name === "model" && !this.character)) this.begin();
    else this.track("text", this.express(WAIT));
  }

  private see(isSeen: boolean): void {
    this.isSeen = isSeen;
    if (isSeen && !this.work) this.begin();
    this.wake();
  }

  /** Loads the character and what it shows; from now on changes of attributes count. */
  private begin(): void {
    if (!this.isConnected) return;
    this.track("stage", this.enter());
    this.track("text", this.express());
  }

  private track(kind: "stage" | "text", work: Promise<void>): void {
    const version = this.version[kind];
    const done = work.then(
      () => version === this.version[kind] && this.report(kind),
      (error: Error) => version === this.version[kind] && this.report(kind, error),
    );
    this.work = Promise.all([this.work, done]).then(() => undefined);
  }

  private async settled(): Promise<Stage> {
    if (!this.work) this.begin();
    for (let work; work !== this.work;) await (work = this.work);
    if (!this.stage) throw new Error(this.problems.stage || "expected an element in a page, got one that is in none");
    return this.stage;
  }

  private async enter(): Promise<void> {
    const version = ++this.version.stage;
    const model = this.getAttribute("model");
    const source = this.character ?? (model && beside("head.glb", folderOf(model)));
    if (!source) throw new RangeError('expected a character="URL" or a model="URL", got neither');
    const [{ Stage }, { loadCharacter }] = await Promise.all([import("./stage.ts"), import("./character.ts")]);
    const character = await loadCharacter(source);
    await new Promise((resolve) => setTimeout(resolve)); // the page gets its turn between file and picture
    if (version !== this.version.stage || !this.isConnected) return character.dispose();
    const stage = new Stage(character);
    this.clear();
    this.stage = stage;
    this.resize();
  }

  private async express(wait = 0): Promise<void> {
    const version = ++this.version.text;
    const text = this.getAttribute("text")?.trim();
    if (wait) await new Promise((resolve) => setTimeout(resolve, 1000 * wait));
    if (version !== this.version.text) return;
    if (!text) return this.getAttribute("text") === null ? undefined : this.show(REST);
    const model = this.getAttribute("model");
    if (!this.ownFace && !model) throw new RangeError('expected a model="URL" for the text, got none');
    const report = (loaded: number, total: number) =>
      this.dispatchEvent(new ProgressEvent("progress", { lengthComputable: total > 0, loaded, total }));
    const face = this.ownFace ?? (await sharedFace(folderOf(model!), report));
    const weights = await face.express(text, { strength: this.strength }).catch((error) => {
      if (error instanceof RangeError || !model) throw error;
      faces.delete(folderOf(model)); // it was closed, or its worker died: the next text loads it again
      this.ownFace = undefined;
      face.close();
      throw error;
    });
    if (version !== this.version.text) return;
    this.ownFace = face;
    this.show(weights);
    this.dispatchEvent(new CustomEvent("expression", { detail: { text, weights } }));
  }

  private show(weights: Weights): void {
    this.goal = weights;
    this.animator.target(weights);
    this.wake();
  }

  /** Says what is wrong with the character or the text, until it is mended. */
  private report(kind: "stage" | "text", error?: Error): void {
    this.problems[kind] = error?.message ?? "";
    this.status.textContent = Object.values(this.problems).filter(Boolean).join(" · ");
    if (error) this.dispatchEvent(new ErrorEvent("error", { message: error.message, error }));
  }

  private label(): void {
    const text = this.getAttribute("text")?.trim();
    this.canvas.setAttribute("aria-label", this.getAttribute("label") ?? (text ? `A face: ${text}` : "A face"));
  }

  private clear(): void {
    this.stage?.dispose();
    this.stage = this.drawn = undefined;
  }

  private resize(): void {
    this.canvas.width = Math.max(1, FINE * this.clientWidth);
    this.canvas.height = Math.max(1, FINE * this.clientHeight);
    this.drawn = undefined;
    this.paint(0);
    this.wake();
  }

  private wake = (): void => {
    if (!this.isSeen || !this.stage || this.frame) return;
    this.time = performance.now();
    this.frame = requestAnimationFrame(this.tick);
  };

  private tick = (now: number): void => {
    this.frame = 0;
    if (!this.isSeen || !this.stage) return;
    this.paint(Math.min(LONGEST, Math.max(0, now - this.time) / 1000));
    this.time = now;
    if (!this.still.matches) this.frame = requestAnimationFrame(this.tick);
  };

  /** Draws what is shown after some seconds more, unless it is drawn already. */
  private paint(seconds: number): void {
    const weights = this.still.matches ? this.goal : this.animator.step(seconds);
    const drawn = this.drawn;
    if (!this.stage || (drawn && TARGETS.every((name) => drawn[name] === weights[name]))) return;
    this.canvas.getContext("2d")!.clearRect(0, 0, this.canvas.width, this.canvas.height);
    this.stage.draw(this.canvas, weights);
    this.drawn = weights;
  }
}

if (globalThis.customElements && !customElements.get("emo3d-face")) customElements.define("emo3d-face", FaceElement);
