import { Actor } from "../../web/src/actor.ts";
import { readActs } from "../../web/src/acts.ts";
import type { FaceElement } from "../../web/src/element.ts";
import type { Face } from "../../web/src/face.ts";
import { element, say } from "./dom.ts";

const MOST_LINES = 50;
const BEGINNING = `Hello! It's so good to see you again.
<act>raises an eyebrow</act> You forgot my birthday, didn't you?
No, I'm not angry. *sighs* Just a little sad.
Wait, is that cake? <act>beams with joy</act> You remembered!`;
/** Milliseconds between two looks at how the actor feels; the element moves smoothly in between. */
const LOOK = 150;
/** Looks that a line has at least, where the machine is so slow that its time is over sooner. */
const LOOKS = 5;

/** Milliseconds in which a line is said, by its length. */
const lasting = (line: string): number => Math.min(8000, 1400 + 55 * line.length);

/** Lines of a character one after the other, in a mood that flows. */
export class Dialogue {
  readonly #button = element<HTMLButtonElement>("play");
  readonly #lines = element<HTMLTextAreaElement>("lines");
  readonly #status = element("line");
  #face: Face | null = null;
  #turn = 0; // of the playing; another one ends those before

  /** @param ended called when the face is no longer the dialogue's. */
  constructor(
    private readonly stage: FaceElement,
    private readonly ended: () => void,
  ) {
    this.#lines.value = BEGINNING;
    this.#button.addEventListener("click", () => (this.#isPlaying ? this.stop() : void this.#play()));
  }

  /** What reads the lines, when it has come. */
  set face(face: Face) {
    this.#face = face;
    this.#button.disabled = false;
  }

  /** Give the face back, if the dialogue has it. */
  stop(): void {
    if (!this.#isPlaying) return;
    this.#turn += 1;
    this.#button.textContent = "Play";
    this.#status.textContent = "";
    this.ended();
  }

  get #isPlaying(): boolean {
    return this.#button.textContent === "Stop";
  }

  async #play(): Promise<void> {
    const lines = this.#lines.value.split("\n").map((line) => line.trim()).filter(Boolean);
    const turn = ++this.#turn;
    try {
      if (!lines.length) throw new RangeError("Expected at least one line, got none.");
      if (lines.length > MOST_LINES) throw new RangeError(`Expected at most ${MOST_LINES} lines, got ${lines.length}.`);
      this.#button.textContent = "Stop";
      const actor = new Actor(this.#face!);
      for (const [place, line] of lines.entries()) {
        await actor.act(line);
        if (turn !== this.#turn) return;
        const said = readActs(line).filter(({ kind }) => kind === "said");
        const words = said.map(({ text }) => text).join("").replace(/\s+/g, " ").trim();
        this.#status.textContent = `Line ${place + 1} of ${lines.length}.`;
        element("caption").textContent = words.slice(0, 200);
        this.stage.setAttribute("label", `A face in a dialogue: ${line.slice(0, 200)}`);
        const end = performance.now() + lasting(words); // by the clock: a slow machine does not say it slower
        for (let look = 0; look < LOOKS || performance.now() < end; look += 1) {
          this.stage.weights = actor.weights();
          await new Promise((resolve) => setTimeout(resolve, LOOK));
          if (turn !== this.#turn) return;
        }
      }
      this.stop();
    } catch (error) {
      if (turn !== this.#turn) return;
      if (this.#isPlaying) say("The dialogue stopped.");
      this.stop();
      this.#status.textContent = (error as Error).message;
    }
  }
}
