import type { Face } from "../../web/src/face.ts";
import type { Interpretation } from "../../web/src/instructions/index.ts";
import { named, ordered, TARGETS, type Weights } from "../../web/src/weights.ts";
import type { PageState } from "./state.ts";

/** What comes of a state: the weights that a face wears, and how its text was read. */
export interface Performance {
  readonly state: PageState;
  readonly weights: Weights;
  readonly interpretation: Interpretation | null;
}

const AT_REST = named(new Float64Array(TARGETS.length));

/** Turns states into weights, one at a time; of those that come meanwhile only the last is worth doing. */
export class Performer {
  #face: Face | null = null;
  #busy = false;
  #waiting: PageState | null = null;
  #spoken = { text: "", strength: -1, weights: AT_REST, interpretation: null as Interpretation | null };

  /**
   * @param done called with each performance.
   * @param failed called with the error of a text that could not be read.
   */
  constructor(
    private readonly done: (performance: Performance) => void,
    private readonly failed: (error: Error) => void,
  ) {}

  /** What reads texts, when it has come; until then a text's face is at rest, but for what is set by hand. */
  set face(face: Face) {
    this.#face = face;
  }

  get ready(): boolean {
    return this.#face !== null;
  }

  perform(state: PageState): void {
    this.#waiting = state;
    if (!this.#busy) void this.#work();
  }

  async #work(): Promise<void> {
    this.#busy = true;
    for (let state = this.#waiting; state; state = this.#waiting) {
      this.#waiting = null;
      try {
        this.done(await this.#performance(state));
      } catch (error) {
        this.failed(error as Error);
      }
    }
    this.#busy = false;
  }

  async #performance(state: PageState): Promise<Performance> {
    const text = state.text.trim();
    let spoken = this.#spoken;
    if (!text) spoken = { text, strength: state.strength, weights: AT_REST, interpretation: null };
    else if (this.#face && (spoken.text !== text || spoken.strength !== state.strength)) {
      const { strength } = state;
      const [weights, interpretation] = await Promise.all([
        this.#face.express(text, { strength }),
        this.#face.interpret(text),
      ]);
      spoken = { text, strength, weights, interpretation };
    }
    this.#spoken = spoken;
    const weights = { ...spoken.weights, ...state.held };
    ordered(weights); // names and ranges, checked
    return { state, weights, interpretation: spoken.interpretation };
  }
}
