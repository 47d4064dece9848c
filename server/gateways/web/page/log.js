// The log: the last events, the newest first.

import { follow } from "./api.js";
import { el, labelled } from "./dom.js";
import { setClock } from "./parts.js";
import { T, moment, when } from "./texts.js";

const MAX_SHOWN = 500;
// On a phone a row is no table row to the browser (style.css), so its roles are said.
const cell = (shown) => el("td", { role: "cell" }, shown);

export function logPage(main, context) {
  let text = "";
  const body = el("tbody");
  const empty = el("p", { class: "empty", hidden: true }, T.log.empty);
  const find = el("input", { type: "search", input: (event) => { text = event.target.value.toLowerCase(); sift(); } });
  main.append(
    el("h1", {}, T.log.title), el("div", { class: "tools" }, labelled(T.log.find, find)),
    el("div", { class: "wide", tabindex: 0, role: "region", "aria-label": T.log.title },
      el("table", { class: "log", role: "table" }, el("caption", { class: "unseen" }, T.log.caption),
        el("thead", {}, el("tr", {}, ...Object.values(T.log.columns).map((name) => el("th", { scope: "col" }, name)))), body)),
    empty);

  function sift() {
    let shown = 0;
    for (const row of body.children) {
      row.hidden = !row.textContent.toLowerCase().includes(text);
      shown += !row.hidden;
    }
    empty.hidden = shown > 0;
  }

  const made = (entry) =>
    el("tr", { role: "row", "data-level": entry.level },
      cell(el("time", { title: moment(entry.at) }, when(entry.at))), cell(T.log.level[entry.level]), cell(entry.event),
      cell(entry.client === null ? T.none : el("a", { href: "#/client/" + encodeURIComponent(entry.client) }, entry.client)),
      cell(Object.entries(entry.details).map(([name, value]) => `${name}=${value}`).join("  ")));

  function take(event, data) {
    setClock(data.now);
    if (event === "snapshot") body.replaceChildren();
    for (const entry of data.events) body.prepend(made(entry));
    while (body.children.length > MAX_SHOWN) body.lastChild.remove();
    sift();
  }

  return follow("view=log", take, context.trouble, context.out);
}
