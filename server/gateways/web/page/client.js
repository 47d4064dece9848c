// One client: where the line stands, its numbers, its last lines, a line to it, its key.

import { follow, post } from "./api.js";
import { el, labelled, setText } from "./dom.js";
import { ageOf, chip, setAge, setClock, setState } from "./parts.js";
import { T, clock, duration, milliseconds, moment, number } from "./texts.js";

const MAX_SHOWN = 200; // lines
const W = T.client;

export function clientPage(main, context, id) {
  const state = chip();
  const since = ageOf();
  const map = linkMap();
  const facts = factList();
  const lines = lineList();
  const gone = el("p", { class: "empty", hidden: true }, W.gone);
  const path = "clients/" + encodeURIComponent(id);
  main.append(el("h1", {}, id, " ", state, " ", el("small", {}, since)), gone, map.element, facts.element, lines.element);
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
      }
    }
    lines.add(data.lines ?? [], data.missed);
  }

  return follow(new URLSearchParams({ view: "client", id }), take, context.trouble, context.out);
}

// Five boxes from the board to the application. Of what is between a client that is away and the server, the server
// knows nothing, and says so.
function linkMap() {
  const boxes = Object.entries(W.boxes).map(([name, text]) => {
    const box = el("li", { "data-box": name }, el("b", {}, text), el("span", { class: "mark" }), el("small"));
    return [name, box];
  });
  const element = el("section", { "aria-labelledby": "map" },
    el("h2", { id: "map" }, W.map), el("ol", { class: "map" }, ...boxes.map(([, box]) => box)));
  const verdict = (name, row) => {
    if (row.state === "connected" || name === "server") return "good";
    if (name === "application") return "quiet";
    return name === "board" && row.state === "away" ? "bad" : "unknown";
  };
  const show = (row) => {
    for (const [name, box] of boxes) {
      const is = name === "application" && row.state === "connected" && row.waiting_lines ? "quiet" : verdict(name, row);
      box.dataset.is = is;
      setText(box.children[1], W[is]);
      setText(box.children[2], name === "application" ? W.application(row) : W.words[name][row.state]);
    }
  };
  return { element, show };
}

function factList() {
  const values = {};
  const element = el("dl", { class: "facts" }, ...Object.entries(W.facts).map(([name, text]) => {
    values[name] = el("dd");
    return el("div", {}, el("dt", {}, text), values[name]);
  }));
  const show = (row) => {
    const mean = row.round_trips ? milliseconds((row.round_trip_s / row.round_trips) * 1000) : T.none;
    const found = {
      since: row.since ? moment(row.since) : T.none, left: row.left ? moment(row.left) : T.none,
      reason: row.connected ? T.none : row.reason ?? T.none, peer: row.peer ?? T.none, connections: number(row.connections),
      outages: number(row.outages), outage_s: duration(row.outage_s), received: number(row.lines_received),
      delivered: number(row.lines_acknowledged), waiting: number(row.waiting_lines), again: number(row.lines_sent_again),
      round: mean, longest: row.round_trips ? milliseconds(row.longest_round_trip_s * 1000) : T.none,
      wire: `${number(row.wire_bytes_received)} / ${number(row.wire_bytes_sent)}`,
    };
    for (const [name, text] of Object.entries(found)) setText(values[name], text);
  };
  return { element, show };
}

// The last lines both ways. While it is paused, new ones are kept and not shown.
function lineList() {
  let paused = false;
  let held = [];
  let text = "";
  const list = el("ol", { class: "lines", tabindex: 0, "aria-label": W.lines });
  const none = el("p", { class: "empty" }, W.noLines);
  const pause = el("button", { type: "button", "aria-pressed": "false", click: () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    setText(pause, paused ? W.go : W.pause);
    if (!paused) { show(held); held = []; }
  } }, W.pause);
  const find = el("input", { type: "search", input: (event) => {
    text = event.target.value.toLowerCase();
    for (const item of list.children) sift(item);
  } });
  const element = el("section", { "aria-labelledby": "lines" }, el("h2", { id: "lines" }, W.lines),
    el("div", { class: "tools" }, labelled(W.find, find), pause), none, list);
  const lookEmpty = () => { list.hidden = list.children.length === 0; none.hidden = !list.hidden; };
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
  const made = (line) => {
    const cut = new TextEncoder().encode(line.text).length + 1 < line.bytes;
    return el("li", { "data-way": line.way }, el("time", { title: moment(line.at) }, clock(line.at)),
      el("span", { class: "way", title: W.way[line.way] }, line.way === "from" ? "←" : "→",
        el("span", { class: "unseen" }, W.way[line.way])),
      el("code", {}, line.text), cut ? el("small", {}, W.more(line.bytes)) : null);
  };
  const add = (lines, missed) => {
    const all = missed ? [{ missed }, ...lines] : lines;
    if (paused) held = [...held, ...all].slice(-MAX_SHOWN);
    else show(all);
  };
  const clear = () => { if (!paused) list.replaceChildren(); held = []; lookEmpty(); };
  return { element, add, clear };
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
