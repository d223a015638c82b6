import type { FaceElement } from "../../web/src/element.ts";
import { element } from "./dom.ts";

const OURS = "model/head.glb";

/** Have the page open characters that are chosen or dropped, which stay in it; gives what opens ours. */
export function wireCharacters(face: FaceElement): () => Promise<void> {
  const [input, status, back] = [
    element<HTMLInputElement>("file"),
    element("character"),
    element<HTMLButtonElement>("ours"),
  ];
  let shown: Blob | string = OURS;

  /** Show a character; an Error in a sentence where it is none, and the one before stays. */
  async function open(source: Blob | string): Promise<void> {
    const problems: string[] = [];
    const note = (event: Event) => problems.push((event as ErrorEvent).message);
    face.addEventListener("error", note);
    try {
      face.character = source;
      await face.picture(16); // when it is there
    } catch (error) {
      problems.push((error as Error).message);
    } finally {
      face.removeEventListener("error", note);
    }
    if (!problems.length) shown = source;
    else if (source !== OURS) face.character = shown;
    if (problems.length) throw new Error(problems[0]);
    back.disabled = source === OURS;
  }

  async function ours(): Promise<void> {
    const note = element("stage-note");
    try {
      await open(OURS);
      note.textContent = status.textContent = "";
    } catch (error) {
      const { message } = error as Error;
      note.textContent = `The head did not come: ${message}. Texts still become weights, to be copied.`;
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
      await open(file);
      status.textContent = [`${name} acts now. It stayed in this browser.`, ...face.notes].join(" ");
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
