// The service worker: what was fetched once is there without a network. Each file is kept under its hash, so that a new
// version fetches only what changed, and no page is made of two versions. Nothing of other hosts is kept or asked for.
/// <reference lib="webworker" />

/** Path -> SHA-256 in hexadecimal of all files of this version, and which of them are fetched at once; by build.mjs. */
declare const FILES: Record<string, string>;
declare const SHELL: string[];

const worker = self as unknown as ServiceWorkerGlobalScope;
const CACHE = "emo3d-web";
const scope = new URL(worker.registration.scope);
const key = (path: string) => new URL(`${path}?sha256=${FILES[path]}`, scope).href;

worker.addEventListener("install", (event) => event.waitUntil(Promise.all(SHELL.map(kept))));

worker.addEventListener("activate", (event) => {
  event.waitUntil(
    (async () => {
      const cache = await caches.open(CACHE);
      const current = new Set(Object.keys(FILES).map(key));
      for (const request of await cache.keys()) if (!current.has(request.url)) await cache.delete(request);
      await worker.clients.claim();
    })(),
  );
});

worker.addEventListener("message", (event) => {
  if (event.data === "take over") void worker.skipWaiting();
});

worker.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== scope.origin || !url.pathname.startsWith(scope.pathname)) return;
  const path = decodeURIComponent(url.pathname.slice(scope.pathname.length)) || "index.html";
  if (Object.hasOwn(FILES, path)) event.respondWith(answer(path, request));
});

/** What is kept; else what the network has, kept on the way where it is what this version is made of. */
async function answer(path: string, request: Request): Promise<Response> {
  const cached = await (await caches.open(CACHE)).match(key(path));
  if (cached) return cached;
  const response = await fetch(request);
  if (response.status === 200) void keep(path, response.clone()).catch(() => undefined); // a full disk keeps nothing
  return response;
}

/** Have a file, fetched unless it is kept already; an Error where the network has another version of it. */
async function kept(path: string): Promise<void> {
  if (await (await caches.open(CACHE)).match(key(path))) return;
  const response = await fetch(new URL(path, scope), { cache: "no-cache" });
  if (response.status !== 200 || !(await keep(path, response))) throw new Error(`${path} is not of this version`);
}

async function keep(path: string, response: Response): Promise<boolean> {
  const { headers } = response;
  const bytes = await response.arrayBuffer();
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  if (Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("") !== FILES[path]) return false;
  await (await caches.open(CACHE)).put(key(path), new Response(bytes, { headers: plain(headers) }));
  return true;
}

/** Headers without those of a body that was packed for the way. */
function plain(headers: Headers): Headers {
  const copy = new Headers(headers);
  for (const name of ["Content-Encoding", "Content-Length", "Transfer-Encoding"]) copy.delete(name);
  return copy;
}
