// The console of a client: what its program prints, and its prompt, for those who may type.

import { follow, post } from "./api.js";
import { el, labelled, setText } from "./dom.js";
import { lineList } from "./line_list.js";
import { setClock } from "./parts.js";
import { T, moment, when } from "./texts.js";

const MAX_HISTORY = 50; // inputs that the arrow keys bring back
const W = T.console;

export function consolePage(main, context, id) {
  const lines = lineList(W.title, W.none, (line) =>
    el("li", {}, el("time", { title: moment(line.at) }, when(line.at)), el("code", {}, line.text)));
  const begun = el("code");
  const open = el("p", { class: "begun", hidden: true }, el("span", { class: "unseen" }, W.begun), begun);
  const typing = context.may("administer") ? typingPart("console/" + encodeURIComponent(id)) : null;
  main.append(el("h1", {}, id), lines.element, open);
  if (typing) main.append(typing.element);

  function take(event, data) {
    setClock(data.now);
    if (event === "snapshot") lines.clear();
    lines.add(data.lines ?? [], data.missed);
    if ("begun" in data) {
      setText(begun, data.begun);
      open.hidden = data.begun === "";
    }
    if ("refused" in data) typing?.refuse(data.refused);
  }

  return follow(new URLSearchParams({ view: "console", id }), take, context.trouble, context.out);
}

function typingPart(path) {
  const history = [];
  let place = 0;
  const line = el("input", { name: "input", autocomplete: "off", autocapitalize: "none", spellcheck: "false", class: "typed", keydown: recall });
  const said = el("p", { role: "status" });
  const refused = el("p", { class: "empty", hidden: true });

  async function send(text) {
    setText(said, "");
    try {
      await post(path, { input: text });
    } catch (error) {
      setText(said, `${T.trouble.failed}: ${error.message}`);
    }
    line.focus();
  }

  function recall(event) {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    place = Math.max(0, Math.min(history.length, place + by));
    line.value = history[place] ?? "";
  }

  const submit = (event) => {
    event.preventDefault();
    const text = line.value;
    if (text && text !== history.at(-1)) history.push(text);
    if (history.length > MAX_HISTORY) history.shift();
    place = history.length;
    line.value = "";
    send(text + "\r");
  };
  const key = (text, title, code) => el("button", { type: "button", title, click: () => send(code) }, text);
  const form = el("form", { class: "send", submit }, labelled(W.input, line), el("button", {}, W.do),
    key(W.interrupt, W.interrupts, "\x03"), key(W.restart, W.restarts, "\x04"), el("small", { class: "check" }, W.hint));
  const element = el("section", { "aria-labelledby": "type" }, el("h2", { id: "type" }, W.type), refused, form, said);
  const refuse = (reason) => {
    setText(refused, reason ?? "");
    refused.hidden = reason === null;
    form.hidden = reason !== null;
  };
  return { element, refuse };
}
