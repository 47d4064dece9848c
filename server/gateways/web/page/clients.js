// The overview: a page of the clients, in the order and with the filter that the user wants.

import { follow } from "./api.js";
import { el, labelled, setText } from "./dom.js";
import { ageOf, chip, setAge, setClock, setState } from "./parts.js";
import { T, dbm, kilobytes, milliseconds, number, perSecond } from "./texts.js";

const SIZE = 50;
// Columns of numbers after the first four, each with what it shows of a row.
const NUMBERS = {
  lines_received: (row) => number(row.lines_received),
  lines_acknowledged: (row) => number(row.lines_acknowledged),
  lines_per_s: (row) => perSecond(row.lines_per_s),
  bytes_per_s: (row) => perSecond(row.bytes_per_s),
  waiting: (row) => number(row.waiting_lines),
  unread: (row) => (row.unread_lines === null ? T.none : number(row.unread_lines)),
  outages: (row) => number(row.outages),
  round_trip: (row) => (row.round_trips ? milliseconds((row.round_trip_s / row.round_trips) * 1000) : T.none),
  wifi: (row) => (row.bridge?.rssi_dbm ? dbm(row.bridge.rssi_dbm) : T.none),
  heap: (row) => (row.bridge ? kilobytes(row.bridge.free_bytes) : T.none),
  release: (row) => row.bridge?.release ?? T.none,
};
const HIGHEST_FIRST = ["last_line", ...Object.keys(NUMBERS)];

export function clientsPage(main, context) {
  const wanted = { state: "", text: "", sort: "id", page: 0 };
  const rows = new Map(); // id -> row of the table
  let shown = { clients: [], matching: 0 };
  let stop = null;
  let waiting = null;

  const summary = el("p", { "aria-live": "polite", id: "summary" });
  const body = el("tbody");
  const range = el("span", { id: "range" });
  const previous = el("button", { type: "button", click: () => turn(-1) }, T.clients.previous);
  const next = el("button", { type: "button", click: () => turn(1) }, T.clients.next);
  const heads = Object.entries(T.clients.columns).map(([name, text]) =>
    el("th", { scope: "col", class: `c-${name}`, "data-sort": name },
      el("button", { type: "button", click: () => sortBy(name) }, text, el("span", { "aria-hidden": "true" }))));
  const search = el("input", { type: "search", maxlength: 64, input: (event) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => ask({ text: event.target.value, page: 0 }), 200);
  } });
  const state = el("select", { change: (event) => ask({ state: event.target.value, page: 0 }) },
    el("option", { value: "" }, T.clients.all),
    ...Object.entries(T.state).map(([value, text]) => el("option", { value }, text)));
  const empty = el("p", { class: "empty", hidden: true }, T.clients.empty);
  main.append(
    el("h1", {}, T.clients.title), summary,
    el("form", { class: "tools", submit: (event) => event.preventDefault() },
      labelled(T.clients.search, search), labelled(T.clients.state, state)),
    el("div", { class: "wide", tabindex: 0, role: "region", "aria-label": T.clients.title },
      el("table", { class: "clients" }, el("caption", { class: "unseen" }, T.clients.caption), el("thead", {}, el("tr", {}, ...heads)), body)),
    empty, el("p", { class: "pager" }, previous, range, next));

  const turn = (by) => ask({ page: wanted.page + by });
  const sortBy = (name) => {
    const first = HIGHEST_FIRST.includes(name) ? "-" : "";
    const other = first ? "" : "-";
    ask({ sort: wanted.sort === first + name ? other + name : first + name, page: 0 });
  };

  function ask(changes) {
    Object.assign(wanted, changes);
    for (const head of heads) {
      const falling = wanted.sort === "-" + head.dataset.sort;
      const sorted = falling || wanted.sort === head.dataset.sort;
      if (sorted) head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
      head.querySelector("span").textContent = sorted ? (falling ? " ▼" : " ▲") : "";
    }
    stop?.();
    stop = follow(new URLSearchParams({ view: "clients", size: SIZE, ...wanted }), take, context.trouble, context.out);
  }

  function take(event, data) {
    setClock(data.now);
    if (event === "snapshot") {
      shown = data;
      order(data.clients.map((row) => row.id));
    } else {
      Object.assign(shown, data.states && { states: data.states }, "matching" in data && { matching: data.matching });
      if (data.order) order(data.order);
    }
    for (const row of data.clients) show(row);
    setText(summary, T.clients.summary(shown.states));
    const from = wanted.page * SIZE;
    setText(range, T.clients.range(Math.min(from + 1, shown.matching), Math.min(from + SIZE, shown.matching), shown.matching));
    previous.disabled = wanted.page === 0;
    next.disabled = from + SIZE >= shown.matching;
    empty.hidden = shown.matching > 0;
  }

  function order(ids) {
    for (const [id, element] of rows) {
      if (!ids.includes(id)) { element.remove(); rows.delete(id); }
    }
    ids.forEach((id, at) => {
      if (!rows.has(id)) rows.set(id, made(id));
      if (body.children[at] !== rows.get(id)) body.insertBefore(rows.get(id), body.children[at] ?? null);
    });
  }

  function show(row) {
    const cells = rows.get(row.id).children;
    setState(cells[1].firstChild, row.state);
    setAge(cells[2].firstChild, row.changed);
    setAge(cells[3].firstChild, row.last_line);
    Object.values(NUMBERS).forEach((text, at) => setText(cells[4 + at], text(row)));
  }

  const made = (id) =>
    el("tr", {},
      el("th", { scope: "row" }, el("a", { href: "#/client/" + encodeURIComponent(id) }, id)),
      el("td", {}, chip()), el("td", {}, ageOf()), el("td", {}, ageOf()),
      ...Object.keys(NUMBERS).map((name) => el("td", { class: `number c-${name}` })));

  ask({});
  return () => { clearTimeout(waiting); stop(); };
}
