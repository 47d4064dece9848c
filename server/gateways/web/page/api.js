// Asks the server. Addresses are relative to the page, so they hold below any prefix.

import { T } from "./texts.js";

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

const AGAIN_MS = 3000;

// Returns why there is no stream: the Failure that the server answers with, or null: it does not answer, or there is one.
async function refusal(url) {
  try {
    const response = await fetch(url, { cache: "no-store" });
    if (!response.ok) await answer(response);
    await response.body.cancel();
  } catch (error) {
    if (error instanceof Failure) return error;
  }
  return null;
}

// Follows a view of the server while the page is visible. take(event, data) gets "snapshot" and "change"; trouble(text)
// is told why there is no stream, "" once there is one; out() that the session is over. Returns a function that ends it.
export function follow(query, take, trouble, out) {
  const url = new URL("events?" + query, BASE);
  let source = null;
  let again = null;
  let opened = 0; // how often: what is learnt of one before is no news
  const open = () => {
    const number = ++opened;
    source = new EventSource(url);
    for (const name of ["snapshot", "change"]) {
      source.addEventListener(name, (event) => {
        trouble("");
        take(name, JSON.parse(event.data));
      });
    }
    source.addEventListener("end", () => { close(); out(); });
    source.onerror = async () => {
      if (source === null || source.readyState !== EventSource.CLOSED) { // it tries again by itself
        trouble(T.trouble.lost);
        return;
      }
      const why = await refusal(url);
      if (number !== opened) return;
      if (why?.status === 401) { close(); out(); return; }
      trouble(why?.message ?? T.trouble.lost);
      again = setTimeout(open, AGAIN_MS);
    };
  };
  const close = () => {
    opened++;
    clearTimeout(again);
    source?.close();
    source = null;
  };
  const look = () => { close(); if (!document.hidden) open(); };
  document.addEventListener("visibilitychange", look);
  look();
  return () => { document.removeEventListener("visibilitychange", look); close(); };
}
