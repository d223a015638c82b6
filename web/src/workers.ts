/** A worker of a script anywhere: it must be of the page's origin itself, but what it imports need not be. */
export function workerAt(script: string): Worker {
  if (new URL(script).origin === location.origin) return new Worker(script, { type: "module" });
  const blob = new Blob([`import ${JSON.stringify(script)};`], { type: "text/javascript" });
  const address = URL.createObjectURL(blob);
  const worker = new Worker(address, { type: "module" });
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
  return worker;
}
