import * as library from "onnxruntime-web/wasm";
import type { FileEntry } from "./manifest.ts";
import { serve } from "./serving.ts";

declare const WASM_ENTRY: FileEntry; // filled in by build.mjs

serve({
  library,
  script: new URL("./runtime-wasm.js", import.meta.url),
  binary: new URL("./runtime-wasm.bin", import.meta.url),
  entry: WASM_ENTRY,
  provider: "wasm",
});
