// Characters that test/characters.py wrote, and what Python says of them.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { CHROMIUM, WEB } from "./browser.mjs";

export const CHARACTERS = `${WEB}.characters`;
/** Why tests of characters cannot run here, or false; `noBrowser` adds what a page needs. */
export const noCharacters = !existsSync(`${CHARACTERS}/python.json`) && "no characters: make web/.characters";
export const noBrowser = (!existsSync(CHROMIUM) && `no ${CHROMIUM}`) || noCharacters;
export const python = noCharacters ? undefined : JSON.parse(readFileSync(`${CHARACTERS}/python.json`, "utf8"));

/** The bytes of one of them, in an ArrayBuffer of its own. */
export function content(name) {
  return new Uint8Array(readFileSync(`${CHARACTERS}/${name}`)).buffer;
}

/** A glTF document and its binary chunk as a GLB. */
export function glb(document, chunk = new Uint8Array(0)) {
  const text = typeof document === "string" ? document : JSON.stringify(document);
  const json = Buffer.from(text.padEnd(text.length + (-Buffer.byteLength(text) & 3)));
  const head = Buffer.alloc(20);
  head.write("glTF");
  [2, 28 + json.length + chunk.length, json.length].forEach((word, k) => head.writeUInt32LE(word, 4 + 4 * k));
  head.write("JSON", 16);
  const next = Buffer.alloc(8);
  next.writeUInt32LE(chunk.length);
  next.write("BIN\0", 4);
  return new Uint8Array(Buffer.concat([head, json, next, chunk])).buffer;
}

/** The document and the binary chunk of a GLB. */
export function chunks(buffer) {
  const bytes = Buffer.from(buffer);
  const size = bytes.readUInt32LE(12);
  return { document: JSON.parse(bytes.subarray(20, 20 + size).toString()), chunk: bytes.subarray(28 + size) };
}

/** Keeps a picture for who looks at it. */
export function keep(name, png) {
  mkdirSync(`${WEB}.pictures`, { recursive: true });
  writeFileSync(`${WEB}.pictures/${name}.png`, png);
}

/**
 * Of boxes [left, top, width, height] of a PNG, decoded by the browser: mean and standard deviation of their lightness,
 * 0..255, and the share of pixels that differ by more than 24 from the same box of another PNG.
 */
export function measure(page, png, boxes, other = png) {
  return page.evaluate(
    async ([first, second, boxes]) => {
      const pixels = async (png) => {
        const picture = await createImageBitmap(new Blob([Uint8Array.from(atob(png), (letter) => letter.charCodeAt(0))]));
        const context = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
        context.drawImage(picture, 0, 0);
        return (box) => context.getImageData(...box).data;
      };
      const [one, two] = [await pixels(first), await pixels(second)];
      return boxes.map((box) => {
        const [a, b] = [one(box), two(box)];
        const light = Array.from({ length: a.length / 4 }, (_, k) => (a[4 * k] + a[4 * k + 1] + a[4 * k + 2]) / 3);
        const differs = light.filter((_, k) => [0, 1, 2].some((c) => Math.abs(a[4 * k + c] - b[4 * k + c]) > 24));
        const mean = light.reduce((sum, value) => sum + value, 0) / light.length;
        const deviation = Math.sqrt(light.reduce((sum, value) => sum + (value - mean) ** 2, 0) / light.length);
        return { mean, deviation, moved: differs.length / light.length };
      });
    },
    [png.toString("base64"), other.toString("base64"), boxes.map((box) => box.map(Math.round))],
  );
}
