import { readGlb } from "./glb.ts";

// Checks files apart from the page, so that none can hold it up; the bytes go back as they came.
self.onmessage = ({ data }: MessageEvent<ArrayBuffer>) => {
  let answer: object;
  try {
    answer = { glb: readGlb(data) };
  } catch (error) {
    answer = { error: (error as Error).message };
  }
  self.postMessage({ ...answer, content: data }, { transfer: [data] });
};
