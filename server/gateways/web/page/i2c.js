// I2C buses: which addresses answer, and transfers. Of one client, or of the server.

import { get, post } from "./api.js";
import { el, labelled, setText } from "./dom.js";
import { T, when } from "./texts.js";

const MAX_SHOWN = 50; // transfers
const COLUMNS = 16;
const W = T.i2c;
const hex = (value) => value.toString(16).padStart(2, "0");
const spaced = (digits) => digits.match(/../g)?.join(" ") ?? W.nothing;

// id: of a client; null: all buses that may be used.
export function i2cPage(main, context, id) {
  const said = el("p", { role: "status" }, W.asking);
  main.append(el("h1", {}, id ?? W.title), ...(id === null ? [] : [el("h2", {}, W.title)]), said);
  let left = false;
  get("i2c").then(({ buses }) => {
    if (left) return;
    const own = id === null ? buses : buses.filter((bus) => bus.client === id);
    setText(said, own.length ? "" : id === null ? W.none : W.noneOf);
    if (own.length) main.append(...busParts(own, context.may("send")));
  }, (error) => {
    if (left) return;
    if (error.status === 401) context.out();
    else setText(said, `${T.trouble.failed}: ${error.message}`);
  });
  return () => { left = true; };
}

function busParts(buses, maySend) {
  const place = el("div");
  const choose = (name) => place.replaceChildren(...busPart(buses.find((bus) => bus.name === name), maySend));
  const select = el("select", { change: (event) => choose(event.target.value) },
    ...buses.map((bus) => el("option", { value: bus.name }, W.bus(bus.name, bus.client))));
  choose(buses[0].name);
  return [el("div", { class: "tools" }, labelled(W.choose, select)), place];
}

function busPart(bus, maySend) {
  const path = "i2c/" + encodeURIComponent(bus.name);
  const said = el("p", { role: "status" });
  const body = el("tbody");
  const transfer = maySend ? transferPart(path) : null;
  const table = el("table", { class: "addresses" }, el("caption", { class: "unseen" }, W.caption),
    el("thead", {}, el("tr", {}, el("td"), ...[...Array(COLUMNS).keys()].map((column) => el("th", { scope: "col" }, column.toString(16))))), body);

  function show(marks) {
    const rows = [];
    for (let row = 0; row < 128; row += COLUMNS) {
      const addresses = [...Array(COLUMNS).keys()].map((column) => row + column);
      if (!addresses.some((address) => bus.addresses.includes(address))) continue;
      rows.push(el("tr", {}, el("th", { scope: "row" }, `${hex(row)}:`), ...addresses.map((address) => cell(address, marks))));
    }
    body.replaceChildren(...rows);
  }

  function cell(address, marks) {
    if (!bus.addresses.includes(address)) return el("td", { class: "outside" });
    const mark = marks.get(address);
    if (mark === "found" && transfer) {
      return el("td", { class: "found" }, el("button", { type: "button", title: W.use(hex(address)), click: () => transfer.use(address) }, hex(address)));
    }
    const shown = { found: hex(address), in_use: "UU", unknown: "?", refused: "×", none: "--" }[mark] ?? "·";
    return el("td", { class: mark, title: mark ? W.marks[mark] : W.marks.allowed }, shown);
  }

  const scan = el("button", { type: "button", click: async () => {
    scan.disabled = true;
    setText(said, W.scanning);
    try {
      const found = await post(path + "/scan");
      const marks = new Map(bus.addresses.map((address) => [address, "none"]));
      for (const kind of ["found", "in_use", "unknown", "refused"]) for (const address of found[kind]) marks.set(address, kind);
      show(marks);
      setText(said, W.scanned(found.found.length, bus.addresses.length));
    } catch (error) {
      setText(said, `${T.trouble.failed}: ${error.message}`);
    }
    scan.disabled = false;
  } }, W.scan);
  show(new Map());
  return [
    el("p", {}, W.allowed(bus.addresses.length), " ", el("small", {}, W.legend)),
    el("div", { class: "wide", tabindex: 0, role: "region", "aria-label": W.caption }, table),
    ...(maySend ? [el("div", { class: "tools" }, scan), said, transfer.element] : [el("p", { class: "empty" }, W.role)]),
  ];
}

function transferPart(path) {
  const address = el("input", { name: "address", required: true, pattern: "(0x)?[0-9a-fA-F]{1,2}", size: 6, placeholder: "0x48", autocomplete: "off" });
  const write = el("input", { name: "write", pattern: "([0-9a-fA-F]{2}\\s*)*", placeholder: "00 1f", autocomplete: "off", class: "typed" });
  const read = el("input", { name: "read", type: "number", min: 0, max: 8192, value: 1 });
  const button = el("button", {}, W.do);
  const said = el("p", { role: "status" });
  const list = el("ol", { class: "lines", tabindex: 0, "aria-label": W.results, hidden: true });

  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    setText(said, "");
    const digits = write.value.replace(/\s/g, "");
    const size = Number(read.value || 0);
    const number = parseInt(address.value.replace(/^0x/, ""), 16);
    try {
      const found = await post(path + "/transfer", { address: number, write: digits, read: size });
      list.append(el("li", {}, el("time", {}, when(Date.now() / 1000)),
        el("code", {}, W.result(hex(number), digits ? spaced(digits) : "", size ? spaced(found.read) : ""))));
      while (list.children.length > MAX_SHOWN) list.firstChild.remove();
      list.hidden = false;
      list.scrollTop = list.scrollHeight;
      setText(said, W.done);
    } catch (error) {
      setText(said, `${T.trouble.failed}: ${error.message}`);
    }
    button.disabled = false;
  }

  const element = el("section", { "aria-labelledby": "transfer" }, el("h2", { id: "transfer" }, W.transfer),
    el("form", { class: "tools", submit }, labelled(W.address, address), labelled(W.write, write), labelled(W.read, read), button),
    el("small", {}, W.hint), said, list);
  const use = (found) => { address.value = "0x" + hex(found); write.focus(); };
  return { element, use };
}
