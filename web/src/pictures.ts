/** Width and height of a picture in pixels. */
export interface Size {
  width: number;
  height: number;
}

/**
 * Reads a PNG's, JPEG's or WebP's size off its header; nothing is decoded.
 *
 * @throws RangeError for another format or a header that breaks off.
 */
export function pictureSize(bytes: Uint8Array): Size {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    if (view.getUint32(0) === 0x89504e47) return { width: view.getUint32(16), height: view.getUint32(20) };
    if (view.getUint16(0) === 0xffd8) return jpegSize(view);
    if (view.getUint32(0) === 0x52494646 && view.getUint32(8) === 0x57454250) return webpSize(view);
  } catch {
    throw new RangeError("expected a whole picture, got one that breaks off in its header");
  }
  throw new RangeError("expected a PNG, JPEG or WebP, got another format");
}

/** Bytes of a `data:` URI in base64; undefined for any other. */
export function inlineBytes(uri: unknown): Uint8Array<ArrayBuffer> | undefined {
  const text = /^data:[^,]{0,100};base64,/.exec(String(uri))?.[0];
  if (!text) return undefined;
  try {
    return Uint8Array.from(atob(String(uri).slice(text.length)), (letter) => letter.charCodeAt(0));
  } catch {
    throw new RangeError("expected base64 in a data URI, got something else");
  }
}

function jpegSize(view: DataView): Size {
  let start = 2;
  for (;;) {
    while (view.getUint8(start) === 0xff && view.getUint8(start + 1) === 0xff) start += 1; // filling
    const marker = view.getUint16(start);
    const isFrame = marker >= 0xffc0 && marker <= 0xffcf && ![0xffc4, 0xffc8, 0xffcc].includes(marker);
    if (isFrame) return { height: view.getUint16(start + 5), width: view.getUint16(start + 7) };
    if (marker < 0xffc0 || marker === 0xffda) throw new RangeError();
    start += 2 + view.getUint16(start + 2);
  }
}

function webpSize(view: DataView): Size {
  switch (view.getUint32(12)) {
    case 0x56503820: // "VP8 "
      return { width: view.getUint16(26, true) & 0x3fff, height: view.getUint16(28, true) & 0x3fff };
    case 0x5650384c: {
      // "VP8L": 14 bits each
      const bits = view.getUint32(21, true);
      return { width: (bits & 0x3fff) + 1, height: ((bits >> 14) & 0x3fff) + 1 };
    }
    case 0x56503858: // "VP8X": 24 bits each
      return { width: (view.getUint32(24, true) & 0xffffff) + 1, height: (view.getUint32(26, true) >>> 8) + 1 };
  }
  throw new RangeError();
}
