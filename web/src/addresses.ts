/** The address of a folder, which ends in a slash; its query is kept. A RangeError for what is no URL. */
export function folderOf(url: string | URL): string {
  let address: URL;
  try {
    address = new URL(url, globalThis.document?.baseURI ?? location.href);
  } catch {
    throw new RangeError(`expected the URL of a folder, got ${JSON.stringify(String(url).slice(0, 200))}`);
  }
  if (!address.pathname.endsWith("/")) address.pathname += "/";
  return address.href;
}

/** Address of a file in a folder whose address ends in a slash; a query of it, such as a version, is kept. */
export function beside(name: string, folder: string): string {
  const address = new URL(name, folder);
  address.search = new URL(folder).search;
  return address.href;
}
