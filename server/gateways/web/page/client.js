// One client: where the line stands, its numbers, its last lines, a line to it, its key.

import { follow, post } from "./api.js";
import { el, labelled, setText } from "./dom.js";
import { historyPart } from "./history.js";
import { lineList } from "./line_list.js";
import { ageOf, chip, setAge, setClock, setState } from "./parts.js";
import { T, dbm, duration, milliseconds, moment, number, perSecond, when } from "./texts.js";

const W = T.client;
const WEAK_DBM = -80; // of the bridge's Wi-Fi: below it frames are lost
const ON_THE_WAY_S = 5; // lines that take longer wait

export function clientPage(main, context, id) {
  const state = chip();
  const since = ageOf();
  const map = linkMap();
  const facts = factList();
  const lines = lineList(W.lines, W.noLines, lineOf);
  const gone = el("p", { class: "empty", hidden: true }, W.gone);
  const path = "clients/" + encodeURIComponent(id);
  const history = historyPart(path);
  main.append(el("h1", {}, id, " ", state, " ", el("small", {}, since)), gone, map.element, facts.element, history.element,
    lines.element);
  if (context.may("send")) main.append(sendForm(path));
  if (context.may("administer")) main.append(keyPart(path));

  function take(event, data) {
    setClock(data.now);
    if (event === "snapshot") lines.clear();
    if ("client" in data) {
      gone.hidden = data.client !== null;
      if (data.client) {
        setState(state, data.client.state);
        setAge(since, data.client.changed);
        map.show(data.client);
        facts.show(data.client);
        history.live(data.client);
      }
    }
    lines.add(data.lines ?? [], data.missed);
  }

  const leave = follow(new URLSearchParams({ view: "client", id }), take, context.trouble, context.out);
  return () => { leave(); history.end(); };
}

// What stands in each box of the map: [how it is, in one of the words W.is; what there is to say].
const STANDS = {
  board: (row) => [{ connected: "good", away: "bad", never: "unknown" }[row.state], W.board(row)],
  bridge: (row) => [row.connected ? "good" : "unknown", W.bridges[row.state]],
  wifi: (row) => {
    const signal = row.connected ? row.bridge?.rssi_dbm ?? null : null; // of a client that is away it is an old one
    const is = !row.connected ? "unknown" : signal !== null && signal < WEAK_DBM ? "weak" : "good";
    return [is, W.wifi[row.state], ...(signal === null ? [] : [W.signal[is](dbm(signal))])];
  },
  server: (row) => ["good", W.server[row.state]],
  application: (row) => {
    const onTheWay = row.connected ? ON_THE_WAY_S * (row.lines_per_s ?? Infinity) : 0;
    const said = [
      row.unread_lines > onTheWay ? W.unread(row.unread_lines) : "", row.waiting_lines > onTheWay ? W.waits(row.waiting_lines) : ""];
    return said.join("") ? ["quiet", ...said] : [row.connected ? "good" : "idle", W.nothingWaits];
  },
};

// Five boxes from the board to the application. Of what is between a client that is away and the server, the server
// knows nothing, and says so.
function linkMap() {
  const boxes = Object.entries(W.boxes).map(([name, text]) => {
    const box = el("li", { "data-box": name }, el("b", {}, text), el("span", { class: "mark" }), el("small"));
    return [name, box];
  });
  const element = el("section", { "aria-labelledby": "map" },
    el("h2", { id: "map" }, W.map), el("ol", { class: "map" }, ...boxes.map(([, box]) => box)));
  const show = (row) => {
    for (const [name, box] of boxes) {
      const [is, ...said] = STANDS[name](row);
      box.dataset.is = is;
      setText(box.children[1], W.is[is]);
      setText(box.children[2], said.filter(Boolean).join(" "));
    }
  };
  return { element, show };
}

function factList() {
  const values = {};
  const element = el("dl", { class: "facts" }, ...Object.entries(W.facts).map(([name, text]) => {
    values[name] = el("dd");
    return el("div", { "data-fact": name }, el("dt", {}, text), values[name]);
  }));
  const show = (row) => {
    const mean = row.round_trips ? milliseconds((row.round_trip_s / row.round_trips) * 1000) : T.none;
    const found = {
      since: row.since ? moment(row.since) : T.none, left: row.left ? moment(row.left) : T.none,
      reason: row.connected ? T.none : row.reason ?? T.none, peer: row.peer ?? T.none, connections: number(row.connections),
      outages: number(row.outages), outage_s: duration(row.outage_s), received: number(row.lines_received),
      delivered: number(row.lines_acknowledged), waiting: number(row.waiting_lines),
      unread: row.unread_lines === null ? T.none : number(row.unread_lines),
      now: `${perSecond(row.lines_per_s)} / ${perSecond(row.bytes_per_s)}`, again: number(row.lines_sent_again),
      round: mean, longest: row.round_trips ? milliseconds(row.longest_round_trip_s * 1000) : T.none,
      bridge: row.bridge ? W.bridge(row.bridge) : W.noBridge,
      wire: `${number(row.wire_bytes_received)} / ${number(row.wire_bytes_sent)}`,
    };
    for (const [name, text] of Object.entries(found)) setText(values[name], text);
  };
  return { element, show };
}

function lineOf(line) {
  const cut = new TextEncoder().encode(line.text).length + 1 < line.bytes;
  return el("li", { "data-way": line.way }, el("time", { title: moment(line.at) }, when(line.at)),
    el("span", { class: "way", title: W.way[line.way] }, line.way === "from" ? "←" : "→",
      el("span", { class: "unseen" }, W.way[line.way])),
    el("code", {}, line.text), cut ? el("small", {}, W.more(line.bytes)) : null);
}

function sendForm(path) {
  const line = el("input", { name: "line", required: true, autocomplete: "off", spellcheck: "false" });
  const wait = el("input", { type: "checkbox" });
  const button = el("button", {}, W.do);
  const said = el("p", { role: "status" });
  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    setText(said, "");
    try {
      const found = await post(path + "/lines", { line: line.value, wait: wait.checked });
      setText(said, found.delivered ? W.delivered : found.stored ? W.stored : W.late);
      line.value = "";
    } catch (error) {
      setText(said, `${T.trouble.failed}: ${error.message}`);
    }
    button.disabled = false;
    line.focus();
  };
  return el("section", { "aria-labelledby": "send" }, el("h2", { id: "send" }, W.send),
    el("form", { class: "send", submit }, labelled(W.line, line), button,
      el("label", { class: "check" }, wait, W.wait)), said);
}

function keyPart(path) {
  const said = el("p", { role: "status" });
  const change = (what, question) => async () => {
    if (!(await asked(question, W[what]))) return;
    try {
      const { key } = await post(path + "/key", { do: what });
      if (key) await shown(key);
      else setText(said, W.revoked);
    } catch (error) {
      setText(said, `${T.trouble.failed}: ${error.message}`);
    }
  };
  return el("section", { "aria-labelledby": "keys" }, el("h2", { id: "keys" }, W.keys),
    el("div", { class: "tools" },
      el("button", { type: "button", click: change("rotate", W.askRotate) }, W.rotate),
      el("button", { type: "button", class: "danger", click: change("revoke", W.askRevoke) }, W.revoke)), said);
}

// Shows a dialog until the user answers. Returns whether the answer was yes.
function dialog(parts, ...buttons) {
  const box = el("dialog", {}, ...parts, el("form", { method: "dialog", class: "tools" }, ...buttons));
  document.body.append(box);
  box.showModal();
  return new Promise((resolve) => {
    box.addEventListener("close", () => { box.remove(); resolve(box.returnValue === "yes"); });
  });
}

const asked = (question, yes) =>
  dialog([el("p", {}, question)], el("button", { value: "no" }, W.cancel), el("button", { value: "yes", class: "danger" }, yes));

const shown = (key) => dialog([el("p", {}, W.shown), el("code", { class: "key" }, key)], el("button", { value: "yes" }, W.close));
