// The sensors of a client: the newest values of each device, with their units, ages, and courses.

import { follow, post } from "./api.js";
import { el, setText } from "./dom.js";
import { ageOf, setAge, setClock } from "./parts.js";
import { MAX_POINTS, draw, sparkline } from "./sparkline.js";
import { T, quantity } from "./texts.js";

const W = T.sensors;

export function sensorsPage(main, context, id) {
  const devices = new Map(); // id -> its part of the table
  const said = el("p", { role: "status" });
  const table = el("table", { class: "sensors" }, el("caption", { class: "unseen" }, W.caption),
    el("thead", {}, el("tr", {}, ...Object.entries(W.columns).map(([name, text]) => el("th", { scope: "col", class: `s-${name}` }, text)))));
  const wide = el("div", { class: "wide", tabindex: 0, role: "region", "aria-label": W.title, hidden: true }, table);
  main.append(el("h1", {}, id), el("h2", {}, W.title), said, wide, el("p", {}, el("small", {}, W.reads)));
  if (context.may("administer")) main.append(busTools(id));
  let state = "asking";

  function take(event, data) {
    setClock(data.now);
    if (event === "snapshot") keepOnly(data.sensors.map((row) => row.device));
    for (const device of data.gone ?? []) remove(device);
    for (const row of data.sensors ?? []) show(row);
    state = data.state ?? state;
    setText(said, [devices.size && state === "there" ? W.summary(devices.size) : "", W.states[state]].filter(Boolean).join(" "));
    wide.hidden = devices.size === 0;
  }

  const keepOnly = (known) => { for (const device of [...devices.keys()]) if (!known.includes(device)) remove(device); };

  function remove(device) {
    devices.get(device)?.body.remove();
    devices.delete(device);
  }

  function show(row) {
    let part = devices.get(row.device);
    if (!part) {
      part = devicePart();
      devices.set(row.device, part);
      const after = [...devices.keys()].sort().find((device) => device > row.device && devices.get(device).body.isConnected);
      table.insertBefore(part.body, after ? devices.get(after).body : null);
    }
    part.show(row);
  }

  return follow(new URLSearchParams({ view: "sensors", id }), take, context.trouble, context.out);
}

// What an administrator may have the bus do.
function busTools(id) {
  const said = el("p", { role: "status" });
  const ask = async (request) => {
    setText(said, "");
    try {
      const found = await post(`devman/${request}?` + new URLSearchParams({ client: id }));
      setText(said, found.rslt === "ok" ? W.done[request] : `${T.trouble.failed}: ${found.text || found.error}`);
    } catch (error) {
      setText(said, `${T.trouble.failed}: ${error.message}`);
    }
  };
  return el("section", { "aria-labelledby": "bus" }, el("h2", { id: "bus" }, W.bus), el("div", { class: "tools" },
    ...Object.entries(W.requests).map(([request, text]) => el("button", { type: "button", click: () => ask(request) }, text))), said);
}

// The rows of one device, one for each of its values.
function devicePart() {
  const body = el("tbody");
  const rows = new Map(); // name of a value -> its row
  const age = ageOf();
  const state = el("small", { class: "invalid" });
  let names = null;

  function build(row) {
    rows.clear();
    const values = row.values.length ? row.values.map((value) => value.name) : [""];
    body.replaceChildren(...values.map((name, at) => {
      const now = el("td", { class: "number" }, el("span"), " ", el("small"), el("small", { class: "invalid" }));
      const range = el("td", { class: "number s-range" });
      const chart = sparkline();
      const label = el("td", { class: "s-name" }, name);
      rows.set(name, { label, now, range, chart, points: [] });
      const heads = at ? [] : [
        el("th", { scope: "rowgroup", rowspan: values.length }, row.device, " ", state),
        el("td", { class: "s-type", rowspan: values.length }, row.type ?? T.none),
      ];
      const last = at ? [] : [el("td", { rowspan: values.length }, age)];
      return el("tr", {}, ...heads, label, now, range, el("td", { class: "s-chart" }, chart), ...last);
    }));
  }

  function show(row) {
    const wanted = JSON.stringify([row.type, row.values.map((value) => value.name)]);
    if (wanted !== names) { names = wanted; build(row); }
    setAge(age, row.at);
    setText(state, row.online ? "" : W.offline);
    if (!row.values.length) {
      const { label, now } = rows.get("");
      setText(label, row.at ? W.bytes : row.type ? W.waiting : W.untyped);
      now.className = "number raw";
      setText(now.children[0], row.raw);
      return;
    }
    for (const value of row.values) update(rows.get(value.name), row.at, value);
  }

  function update(cells, at, { value, unit, valid }) {
    setText(cells.now.children[0], Array.isArray(value) ? value.map(quantity).join(", ") : quantity(value));
    setText(cells.now.children[1], unit);
    setText(cells.now.children[2], valid ? "" : ` ▲ ${W.invalid}`);
    if (typeof value !== "number" || !valid || at === cells.points.at(-1)?.[0]) return;
    cells.points.push([at, value]);
    if (cells.points.length > MAX_POINTS) cells.points.shift();
    const shown = cells.points.map((point) => point[1]);
    setText(cells.range, W.range(Math.min(...shown), Math.max(...shown)));
    cells.range.title = W.course(shown.length);
    draw(cells.chart, cells.points);
  }

  return { body, show };
}
