import { element } from "./dom.ts";
import type { Stage } from "./stage.ts";

/** Bytes of a character that are read. */
const LARGEST = 100e6;
const OURS = "head.glb";

/** Have the page open characters that are chosen or dropped; they stay in it. */
export function wireCharacters(stage: Stage): { ours(): Promise<void>; file(): ArrayBuffer | null } {
  const [input, status, back] = [
    element<HTMLInputElement>("file"),
    element("character"),
    element<HTMLButtonElement>("ours"),
  ];
  let shown: ArrayBuffer | null = null;
  let head: ArrayBuffer | null = null;

  async function open(file: ArrayBuffer, name: string): Promise<readonly string[]> {
    const notes = await stage.open(file.slice(0), name);
    shown = file;
    back.disabled = file === head;
    return notes;
  }

  async function ours(): Promise<void> {
    const note = element("stage-note");
    try {
      if (!head) {
        const response = await fetch(OURS);
        if (!response.ok) throw new Error(`the server answered ${response.status}`);
        head = await response.arrayBuffer();
      }
      await open(head, OURS);
      note.textContent = status.textContent = "";
    } catch (error) {
      note.textContent = `The head did not load: ${(error as Error).message}. Load the page again.`;
    }
  }

  async function theirs(files: FileList | null | undefined): Promise<void> {
    const file = files?.[0];
    if (!file) return;
    const name = file.name.slice(0, 80);
    status.textContent = `${name}: being opened.`;
    try {
      if (files.length > 1) throw new Error(`expected one file, got ${files.length}`);
      if (!/\.(glb|vrm)$/i.test(file.name)) throw new Error("expected a file that ends in .glb or .vrm");
      if (file.size > LARGEST) throw new Error(`expected at most ${LARGEST / 1e6} MB, got ${Math.ceil(file.size / 1e6)}`);
      const notes = await open(await file.arrayBuffer(), file.name);
      status.textContent = [`${name} acts now. It stayed in this browser.`, ...notes].join(" ");
    } catch (error) {
      status.textContent = `${name} could not be opened: ${(error as Error).message}.`;
    }
  }

  element("choose").addEventListener("click", () => input.click());
  input.addEventListener("change", () => void theirs(input.files).finally(() => (input.value = "")));
  back.addEventListener("click", () => void ours());
  const drop = element("drop");
  const carries = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
  window.addEventListener("dragover", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    drop.hidden = false;
  });
  window.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.hidden = true;
  });
  window.addEventListener("drop", (event) => {
    drop.hidden = true;
    if (!carries(event)) return;
    event.preventDefault();
    void theirs(event.dataTransfer?.files);
  });
  return { ours, file: () => shown };
}
