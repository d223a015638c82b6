import { FaceElement } from "../../web/src/element.ts";
import { Face } from "../../web/src/face.ts";
import { wireCharacters } from "./characters.ts";
import { Dialogue } from "./dialogue.ts";
import { element, save, say, slug } from "./dom.ts";
import { EXAMPLES } from "./examples.ts";
import { Hands } from "./hands.ts";
import { keepOffline, sayOffline } from "./offline.ts";
import { Performer, type Performance } from "./performer.ts";
import { showReading, showStrongest, strongest } from "./reading.ts";
import { spelt } from "./regions.ts";
import { wireCopies } from "./sharing.ts";
import { checkText, fragmentOf, History, LONGEST_TEXT, parseFragment, REST, type PageState } from "./state.ts";

/** Milliseconds after the last key until a text is acted. */
const TYPING = 250;

const face = element("face") as FaceElement;
const text = element<HTMLTextAreaElement>("text");
const strength = element<HTMLInputElement>("strength");
const [undo, redo, release] = ["undo", "redo", "release"].map((id) => element<HTMLButtonElement>(id));

const history = new History(REST);
let present: Performance = { state: REST, weights: {}, interpretation: null };
let typing = 0;
let merging = ""; // which hand is at work: what one hand does in one go is one step of undo

const dialogue = new Dialogue(face, () => show(present));
const performer = new Performer(show, (error) => problem(error.message));
const hands = new Hands(element("regions"), element<HTMLInputElement>("both"), (weights, settled) => {
  change({ held: { ...history.state.held, ...weights } }, `hand ${Object.keys(weights)[0]}`);
  if (settled) merging = "";
});

/** Take a step: undo comes back to before it, unless the same hand goes on. */
function change(step: Partial<PageState>, hand = ""): void {
  history.push({ ...history.state, ...step }, hand !== "" && hand === merging);
  merging = hand;
  settle();
}

/** Have the page and its address be those of the present state. */
function settle(): void {
  const { state } = history;
  if (text.value.trim() !== state.text.trim()) text.value = state.text;
  strength.value = String(state.strength);
  element<HTMLOutputElement>("strength-value").value = state.strength.toFixed(2);
  [undo.disabled, redo.disabled] = [!history.canUndo, !history.canRedo];
  release.disabled = !Object.keys(state.held).length;
  const fragment = fragmentOf(state);
  if (location.hash.slice(1) !== fragment) {
    window.history.replaceState(null, "", fragment ? `#${fragment}` : location.pathname + location.search);
  }
  count();
  dialogue.stop();
  performer.perform(state);
}

function show(performance: Performance): void {
  present = performance;
  const { state, weights } = performance;
  face.weights = weights;
  hands.show(weights, state.held);
  showReading(element("understood"), performance);
  showStrongest(element("strongest"), weights);
  element("caption").textContent = state.text.trim().slice(0, 200);
  const most = strongest(weights, 4).map(([name]) => spelt(name));
  const words = state.text.trim() ? `A face: ${state.text.trim().slice(0, 200)}.` : "A face.";
  face.setAttribute("label", `${words} ${most.length ? `Strongest: ${most.join(", ")}.` : "It is at rest."}`);
  document.body.dataset.shown = fragmentOf(state);
}

function problem(sentence: string): void {
  const place = element("problem");
  place.textContent = sentence;
  place.hidden = !sentence;
}

function count(): void {
  const [length, most] = [text.value.length, LONGEST_TEXT].map((number) => number.toLocaleString("en"));
  element("count").textContent = `${length} of ${most} characters`;
}

/** Take the text of the field; too long a one is said, and the face stays. */
function read(): void {
  window.clearTimeout(typing);
  try {
    checkText(text.value);
  } catch (error) {
    count();
    return problem((error as Error).message);
  }
  problem("");
  if (text.value !== history.state.text) change({ text: text.value });
}

/** Follow the address, as it was opened or pasted. */
function follow(): void {
  try {
    const state = parseFragment(location.hash);
    problem("");
    history.push(state);
  } catch (error) {
    problem((error as Error).message);
  }
  settle();
}

function wire(): void {
  text.addEventListener("input", () => {
    count();
    window.clearTimeout(typing);
    typing = window.setTimeout(read, TYPING);
  });
  text.addEventListener("change", read);
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    read();
  });
  // A text of megabytes would hold the page up before its length could be seen.
  text.addEventListener("beforeinput", (event) => {
    const given = event.data ?? event.dataTransfer?.getData("text/plain") ?? "";
    if (given.length <= 10 * LONGEST_TEXT) return;
    event.preventDefault();
    const [most, got] = [LONGEST_TEXT, given.length].map((number) => number.toLocaleString("en"));
    problem(`Expected at most ${most} characters, got ${got}: this text was not taken in.`);
  });
  for (const event of ["input", "change"]) {
    strength.addEventListener(event, () => {
      change({ strength: Number(strength.value) }, "strength");
      if (event === "change") merging = "";
    });
  }
  for (const example of EXAMPLES) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = example;
    button.addEventListener("click", () => {
      problem("");
      change({ text: example, held: {} });
    });
    element("examples").append(button);
  }
  undo.addEventListener("click", () => back("undo"));
  redo.addEventListener("click", () => back("redo"));
  release.addEventListener("click", () => change({ held: {} }));
  document.addEventListener("keydown", (event) => {
    const inText = event.target instanceof HTMLTextAreaElement && !event.target.readOnly;
    if (inText || !(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z") return;
    event.preventDefault();
    back(event.shiftKey ? "redo" : "undo");
  });
  window.addEventListener("hashchange", follow);
  wireCopies(() => present);
  element("png").addEventListener("click", () => take("PNG", () => face.picture(1024)));
  element("gif").addEventListener("click", () => take("GIF", () => face.gif({ size: 320 })));
  element("glb").addEventListener("click", () => take("GLB", () => face.glb()));
}

function back(way: "undo" | "redo"): void {
  history[way]();
  merging = "";
  problem("");
  settle();
  say(way === "undo" ? "Undone." : "Done again.");
}

/** Make a file and offer it; what goes wrong is a sentence. */
async function take(kind: string, made: () => Promise<Blob>): Promise<void> {
  say(`${kind}: being made.`);
  try {
    const blob = await made();
    const name = `emo3d-${slug(present.state.text)}.${kind.toLowerCase()}`;
    save(blob, name);
    say(`${kind}: saved as ${name}.`);
  } catch (error) {
    say(`${kind}: ${(error as Error).message}.`);
  }
}

/** Load what understands texts, and say how far it is. */
async function load(controlled: boolean): Promise<void> {
  const place = element("loading");
  const bar = element<HTMLProgressElement>("progress");
  const line = element("loading-text");
  const retry = place.querySelector("button");
  retry?.remove();
  bar.hidden = false;
  line.textContent = "The text model is loading.";
  try {
    const model = await Face.load("model/", {
      cache: !controlled, // else the service worker keeps it
      onProgress: (loaded, total) => {
        bar.max = total;
        bar.value = loaded;
        const [here, all] = [loaded, total].map((bytes) => (bytes / 1e6).toFixed(1));
        const done = loaded < total ? `loading: ${here} of ${all} MB` : "starting";
        line.textContent = `The text model is ${done}.`;
      },
    });
    [performer.face, dialogue.face] = [model, model];
  } catch (error) {
    bar.hidden = true;
    const offline = navigator.onLine ? "" : "There is no network, and not all of this page was kept before. ";
    line.textContent = `${offline}The text model did not load: ${(error as Error).message}.`;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Try again";
    button.addEventListener("click", () => void load(controlled));
    place.append(button);
    return;
  }
  place.hidden = true;
  document.body.dataset.ready = String(Math.round(performance.now()));
  performer.perform(history.state);
  sayOffline(controlled);
}

async function start(): Promise<void> {
  if (new URLSearchParams(location.search).has("embed")) document.body.classList.add("embedded");
  if (!(face instanceof FaceElement)) throw new Error("expected a browser with custom elements");
  wire();
  follow();
  const controlled = keepOffline();
  await wireCharacters(face)();
  document.body.dataset.head = String(Math.round(performance.now()));
  await load(await controlled);
}

void start();
