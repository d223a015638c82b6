import { element } from "./dom.ts";

/** Milliseconds that the model waits for the service worker, through which it is kept; it is there or it is not. */
const PATIENCE = 3000;

/** Start the service worker; whether what is fetched from now on goes through it. */
export async function keepOffline(): Promise<boolean> {
  if (!("serviceWorker" in navigator)) return false;
  const registered = navigator.serviceWorker.register("sw.js").then((registration) => {
    offer(registration);
    registration.addEventListener("updatefound", () => {
      const worker = registration.installing;
      worker?.addEventListener("statechange", () => offer(registration));
    });
  });
  const controlled = new Promise<boolean>((resolve) => {
    if (navigator.serviceWorker.controller) resolve(true);
    navigator.serviceWorker.addEventListener("controllerchange", () => resolve(true), { once: true });
    registered.catch(() => resolve(false)); // storage is switched off, or full
    setTimeout(() => resolve(false), PATIENCE);
  });
  return controlled;
}

/** Say that there is a new version, when one waits; it takes over when it is asked to, and the page is loaded anew. */
function offer(registration: ServiceWorkerRegistration): void {
  const { waiting } = registration;
  if (!waiting || !navigator.serviceWorker.controller) return;
  element("update").hidden = false;
  element("reload").onclick = () => {
    navigator.serviceWorker.addEventListener("controllerchange", () => location.reload(), { once: true });
    waiting.postMessage("take over");
  };
}

/** Say whether the page works without a network, once all of it is kept. */
export function sayOffline(controlled: boolean): void {
  element("offline").textContent = controlled ? "This page now works without a network, too." : "";
}
