// Parts that several pages show: states, ages, hints.

import { el, setText } from "./dom.js";
import { T, age, moment } from "./texts.js";

let skew = 0; // server's clock less ours, s

export const setClock = (now) => { if (now !== undefined) skew = now - Date.now() / 1000; };
export const serverNow = () => Date.now() / 1000 + skew;

const SHAPES = { connected: "●", away: "▲", never: "○" };

// Returns a chip whose state is a shape and a word, not a colour alone.
export function chip() {
  return el("span", { class: "chip" }, el("span", { "aria-hidden": "true" }), el("span"));
}

export function setState(element, state) {
  if (element.dataset.state === state) return;
  element.dataset.state = state;
  element.children[0].textContent = SHAPES[state];
  element.children[1].textContent = T.state[state];
}

// An element that shows how long ago something was; `tick` keeps it true.
export const ageOf = () => el("time", { "data-age": true });

export function setAge(element, at) {
  element.dataset.at = at ?? "";
  if (at) element.title = moment(at);
  else element.removeAttribute("title");
  showAge(element);
}

function showAge(element) {
  const at = Number(element.dataset.at);
  setText(element, at ? age(Math.max(0, serverNow() - at)) : T.none);
}

export const tick = () => document.querySelectorAll("time[data-age]").forEach(showAge);
