// Asks the server. Addresses are relative to the page, so they hold below any prefix.

const BASE = new URL("api/", new URL(".", location.href));

export class Failure extends Error {
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

async function answer(response) {
  const found = await response.json().catch(() => ({ error: response.statusText }));
  if (!response.ok) throw new Failure(response.status, found.error);
  return found;
}

export const get = async (path) => answer(await fetch(new URL(path, BASE), { cache: "no-store" }));

export const post = async (path, body = {}) =>
  answer(
    await fetch(new URL(path, BASE), {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
    }),
  );

// Follows a view of the server while the page is visible. take(event, data) gets "snapshot" and "change"; trouble(is)
// is told whether the connection is lost; out() that the session is over. Returns a function that ends it.
export function follow(query, take, trouble, out) {
  let source = null;
  let again = null;
  const open = () => {
    source = new EventSource(new URL("events?" + query, BASE));
    for (const name of ["snapshot", "change"]) {
      source.addEventListener(name, (event) => {
        trouble(false);
        take(name, JSON.parse(event.data));
      });
    }
    source.addEventListener("end", () => { close(); out(); });
    source.onerror = async () => {
      trouble(true);
      if (source === null || source.readyState !== EventSource.CLOSED) return; // it tries again by itself
      close();
      try {
        await get("me");
      } catch (error) {
        if (error.status === 401) { out(); return; }
      }
      again = setTimeout(open, 3000);
    };
  };
  const close = () => {
    clearTimeout(again);
    source?.close();
    source = null;
  };
  const look = () => { close(); if (!document.hidden) open(); };
  document.addEventListener("visibilitychange", look);
  look();
  return () => { document.removeEventListener("visibilitychange", look); close(); };
}
