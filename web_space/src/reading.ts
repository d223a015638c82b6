import type { Weights } from "../../web/src/weights.ts";
import type { Performance } from "./performer.ts";
import { spelt } from "./regions.ts";

const line = (...parts: (string | Node)[]) => {
  const item = document.createElement("li");
  item.append(...parts);
  return item;
};

const quote = (text: string) => {
  const mark = document.createElement("q");
  mark.textContent = text.length > 200 ? `${text.slice(0, 200)}…` : text;
  return mark;
};

/** The names of the strongest weights, at most `most`, those of at least 0.05. */
export function strongest(weights: Weights, most: number): [string, number][] {
  return Object.entries(weights)
    .filter(([, weight]) => weight >= 0.05)
    .sort(([, a], [, b]) => b - a)
    .slice(0, most);
}

/** Weights in words: both sides of the face in one, where they are alike. */
export function inWords(weights: Weights): string {
  const parts: string[] = [];
  const entries = new Map(Object.entries(weights).filter(([, weight]) => weight > 0));
  for (const [name, weight] of entries) {
    const right = name.replace(/Left$/, "Right");
    const both = right !== name && Math.abs((entries.get(right) ?? -1) - weight) < 0.005;
    if (both) entries.delete(right);
    parts.push(`${spelt(both ? name.replace(/Left$/, "") : name)} ${weight.toFixed(2)}`);
  }
  return parts.join(", ") || "nothing";
}

/** Fill a list with how a text was read: what is felt, which movements were named, and notes on both. */
export function showReading(list: HTMLElement, { state, interpretation }: Performance): void {
  const items: HTMLElement[] = [];
  if (interpretation) {
    const { rest, instructions, notes } = interpretation;
    if (rest.trim()) items.push(line("Felt: ", quote(rest.trim())));
    for (const { words, weights } of instructions) items.push(line("Done: ", quote(words), ` (${inWords(weights)})`));
    for (const note of notes) items.push(line(String(note)));
    if (!items.length) items.push(line("Neither a feeling nor a movement: the face is at rest."));
  }
  const held = Object.keys(state.held).length;
  if (held) items.push(line(`By hand: ${inWords(state.held)}`));
  if (!items.length) {
    const waits = state.text.trim() !== "";
    const nothing = line(waits ? "The words wait for the text model." : "Nothing yet: type, or take an example.");
    nothing.className = "faint";
    items.push(nothing);
  }
  list.replaceChildren(...items);
}

/** Fill a list with the strongest weights as bars. */
export function showStrongest(list: HTMLElement, weights: Weights): void {
  const items = strongest(weights, 8).map(([name, weight]) => {
    const label = document.createElement("span");
    label.textContent = spelt(name);
    const bar = document.createElement("meter");
    bar.value = weight;
    bar.setAttribute("aria-label", `${spelt(name)}: ${weight.toFixed(2)}`);
    const output = document.createElement("output");
    output.value = weight.toFixed(2);
    return line(label, bar, output);
  });
  const rest = line("All are 0: the face is at rest.");
  rest.className = "faint";
  list.replaceChildren(...(items.length ? items : [rest]));
}
