import { element } from "./dom.ts";
import type { Stage } from "./stage.ts";

const OURS = "head.glb";

/** Have the page open characters that are chosen or dropped, which stay in it; gives what opens ours. */
export function wireCharacters(stage: Stage): () => Promise<void> {
  const [input, status, back] = [
    element<HTMLInputElement>("file"),
    element("character"),
    element<HTMLButtonElement>("ours"),
  ];

  async function ours(): Promise<void> {
    const note = element("stage-note");
    try {
      await stage.open(OURS);
      note.textContent = status.textContent = "";
      back.disabled = true;
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
      if (files.length > 1) throw new RangeError(`expected one file, got ${files.length}`);
      if (!/\.(glb|vrm)$/i.test(file.name)) throw new RangeError("expected a file that ends in .glb or .vrm");
      const { notes } = await stage.open(file);
      status.textContent = [`${name} acts now. It stayed in this browser.`, ...notes].join(" ");
      back.disabled = false;
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
  return ours;
}
