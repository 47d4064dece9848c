// A list of the last lines, with search. While it is paused, new ones are kept and not shown.

import { el, labelled, setText } from "./dom.js";
import { T } from "./texts.js";

const MAX_SHOWN = 500; // lines
const W = T.lines;

// title, none: texts, the second for a list without lines; made: makes the <li> of a line.
export function lineList(title, none, made) {
  let paused = false;
  let held = [];
  let cleared = false; // while it was paused
  let text = "";
  const list = el("ol", { class: "lines", tabindex: 0, "aria-label": title });
  const empty = el("p", { class: "empty" }, none);
  const pause = el("button", { type: "button", "aria-pressed": "false", click: () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    setText(pause, paused ? W.go : W.pause);
    if (paused) return;
    if (cleared) list.replaceChildren();
    cleared = false;
    show(held);
    held = [];
  } }, W.pause);
  const find = el("input", { type: "search", input: (event) => {
    text = event.target.value.toLowerCase();
    for (const item of list.children) sift(item);
  } });
  const element = el("section", { "aria-labelledby": "lines" }, el("h2", { id: "lines" }, title),
    el("div", { class: "tools" }, labelled(W.find, find), pause), empty, list);
  const lookEmpty = () => { list.hidden = list.children.length === 0; empty.hidden = !list.hidden; };
  const sift = (item) => { item.hidden = !item.textContent.toLowerCase().includes(text); };
  const show = (lines) => {
    const low = list.scrollHeight - list.scrollTop - list.clientHeight < 40;
    for (const line of lines) {
      const item = line.missed ? el("li", { class: "missed" }, W.missed) : made(line);
      sift(item);
      list.append(item);
    }
    while (list.children.length > MAX_SHOWN) list.firstChild.remove();
    lookEmpty();
    if (low) list.scrollTop = list.scrollHeight;
  };
  const add = (lines, missed) => {
    const all = missed ? [{ missed }, ...lines] : lines;
    if (paused) held = [...held, ...all].slice(-MAX_SHOWN);
    else show(all);
  };
  const clear = () => {
    held = [];
    if (paused) cleared = true;
    else list.replaceChildren();
    lookEmpty();
  };
  return { element, add, clear };
}
