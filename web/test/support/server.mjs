// A static server on the loopback that counts what it sends and can be told to misbehave.
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".json": "application/json",
  ".css": "text/css",
  ".glb": "model/gltf-binary",
  ".wasm": "application/wasm",
};
/** What docs/web.md tells hosts to send. */
export const STRICT =
  "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src 'self'; " +
  "img-src 'self' blob: data:; style-src 'self'";
export const ISOLATED = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};

/**
 * Serve folders under prefixes: `{"/dist/": "…/dist"}`. Pages (text of HTML) come by path in `pages`.
 * `answers` by path are functions (request, response) in place of a file. `sent` counts bytes of bodies
 * by path, `requested` lists what was asked for.
 */
export async function serve(folders, { headers = {}, pages = {}, answers = {} } = {}) {
  const sent = {};
  const requested = [];
  const server = createServer((request, response) => {
    requested.push(request.url);
    const path = decodeURIComponent(new URL(request.url, "http://localhost").pathname);
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    const write = response.write.bind(response);
    const end = response.end.bind(response);
    const count = (chunk) => (sent[path] = (sent[path] ?? 0) + (chunk ? Buffer.byteLength(chunk) : 0));
    response.write = (chunk, ...rest) => (count(chunk), write(chunk, ...rest));
    response.end = (chunk, ...rest) => (count(typeof chunk === "function" ? undefined : chunk), end(chunk, ...rest));
    if (path === "/favicon.ico") return response.writeHead(204).end();
    if (answers[path]) return answers[path](request, response);
    if (path in pages) return response.writeHead(200, { "content-type": TYPES[".html"] }).end(pages[path]);
    const prefix = Object.keys(folders).find((name) => path.startsWith(name));
    const file = prefix && join(folders[prefix], normalize(`/${path.slice(prefix.length)}`));
    const size = file && statSync(file, { throwIfNoEntry: false });
    if (!size?.isFile()) return response.writeHead(404, { "content-type": "text/plain" }).end("not found");
    const type = TYPES[extname(file)] ?? "application/octet-stream";
    response.writeHead(200, { "content-type": type, "content-length": size.size });
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  const close = () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve)));
  return { origin, sent, requested, close, total: () => Object.values(sent).reduce((sum, bytes) => sum + bytes, 0) };
}
