/** The element of an id in index.html. */
export function element<Kind extends HTMLElement = HTMLElement>(id: string): Kind {
  const place = document.getElementById(id);
  if (!place) throw new Error(`index.html lacks #${id}`);
  return place as Kind;
}

/** Say what was done, on the page and to screen readers. */
export function say(text: string): void {
  element("said").textContent = text;
}

/** Time for the page to draw and to answer. */
export const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 0));

/** Offer a file to whoever is there. */
export function save(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** A text as the name of a file: `she-is-thrilled`; "face" where it has no letters. */
export function slug(text: string): string {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  let name = "";
  for (const word of words) {
    if (name.length + word.length > 40) break;
    name += (name && "-") + word;
  }
  return name || "face";
}
