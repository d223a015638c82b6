import type { Weights } from "../../web/src/weights.ts";
import * as copies from "./copies.ts";
import { element, say } from "./dom.ts";
import type { PageState } from "./state.ts";

/** Copy a text; where the browser does not allow it, it is shown to be copied by hand. */
export async function copy(text: string, name: string): Promise<void> {
  const box = element<HTMLTextAreaElement>("copied");
  box.value = text;
  element("copied-label").textContent = `${name}, as it is copied`;
  try {
    await navigator.clipboard.writeText(text);
    say(`${name}: copied.`);
  } catch {
    element<HTMLDetailsElement>("copying").open = true;
    box.focus();
    box.select();
    say(`${name}: this browser does not let pages copy. It is selected: press Ctrl+C.`);
  }
}

/** Have the buttons of the section copy what `present` gives. */
export function wireCopies(present: () => { state: PageState; weights: Weights }): void {
  const kinds: Record<string, [string, () => string]> = {
    json: ["JSON", () => copies.json(present().weights)],
    livelink: ["Live Link CSV", () => copies.liveLink(present().weights)],
    script: ["JavaScript", () => copies.script(present().weights)],
    frame: ["The iframe", () => copies.frame(location.href, present().state.text)],
    element: ["The element", () => copies.element(present().state.text, present().state.strength)],
  };
  for (const button of document.querySelectorAll<HTMLButtonElement>("[data-copy]")) {
    const [name, text] = kinds[button.dataset.copy!];
    button.addEventListener("click", () => void copy(text(), name));
  }
  element("share").addEventListener("click", () => void copy(location.href, "The link to this face"));
}
