import * as library from "onnxruntime-web/webgpu";
import type { FileEntry } from "./manifest.ts";
import { serve } from "./serving.ts";

declare const WEBGPU_ENTRY: FileEntry; // filled in by build.mjs

serve({
  library,
  script: new URL("./runtime-webgpu.js", import.meta.url),
  binary: new URL("./runtime-webgpu.bin", import.meta.url),
  entry: WEBGPU_ENTRY,
  provider: "webgpu",
});
