import type { Weights } from "../../web/src/weights.ts";
import { REGIONS, spelt, twin } from "./regions.ts";

interface Row {
  readonly row: HTMLElement;
  readonly input: HTMLInputElement;
  readonly output: HTMLOutputElement;
}

/** Sliders for all weights, by the part of the face that they move. */
export class Hands {
  readonly #rows = new Map<string, Row>();

  /**
   * @param host is filled with the sliders.
   * @param both whether a slider moves its twin on the other side, too.
   * @param changed called with weights that were set by hand, and whether the hand has let go.
   */
  constructor(host: HTMLElement, both: HTMLInputElement, changed: (weights: Weights, settled: boolean) => void) {
    for (const [region, names] of REGIONS) {
      const group = document.createElement("div");
      group.setAttribute("role", "group");
      group.setAttribute("aria-label", region);
      const heading = document.createElement("h3");
      heading.textContent = region;
      group.append(heading, ...names.map((name) => this.#made(name).row));
      host.append(group);
    }
    const moved = (event: Event, settled: boolean) => {
      const input = event.target as HTMLInputElement;
      const other = both.checked ? twin(input.name) : null;
      const weight = Number(input.value);
      changed({ [input.name]: weight, ...(other ? { [other]: weight } : {}) }, settled);
    };
    host.addEventListener("input", (event) => moved(event, false));
    host.addEventListener("change", (event) => moved(event, true));
  }

  /** Show weights, and which of them were set by hand. */
  show(weights: Weights, held: Readonly<Weights>): void {
    for (const [name, { row, input, output }] of this.#rows) {
      const weight = weights[name] ?? 0;
      output.value = weight.toFixed(2);
      if (document.activeElement !== input || !(name in held)) input.value = String(weight);
      row.classList.toggle("held", name in held);
      output.title = name in held ? "set by hand" : "";
    }
  }

  #made(name: string): Row {
    const row = document.createElement("div");
    row.className = "weight";
    const [label, input, output] = [
      document.createElement("label"),
      document.createElement("input"),
      document.createElement("output"),
    ];
    label.textContent = spelt(name);
    label.htmlFor = input.id = `weight-${name}`;
    Object.assign(input, { type: "range", min: "0", max: "1", step: "0.01", value: "0", name });
    output.htmlFor.add(input.id);
    output.value = "0.00";
    row.append(label, input, output);
    const made = { row, input, output };
    this.#rows.set(name, made);
    return made;
  }
}
