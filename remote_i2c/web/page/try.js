// The page to try a bus with: scan, write, read. What devices and doors say is shown as text, never as HTML.
"use strict";

const FIRST = 0x08;
const LAST = 0x77;
const ROW = 16;

const part = (id) => document.getElementById(id);
const hex = (value) => value.toString(16).padStart(2, "0");
let access = null;

function show(text) {
  part("state").textContent = text;
}

/** Run what a button does, once at a time, and show its error. */
function onPress(button, work) {
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await work();
    } catch (error) {
      show(String(error));
    } finally {
      button.disabled = false;
    }
  });
}

async function connect() {
  const token = part("token").value;
  if (access !== null) {
    access.close();
    access = null;
  }
  show("Connecting ..");
  access = await WebI2C.requestI2CAccess({ token });
  access.onconnectionchange = (connected) => show(connected ? "Connected." : "The connection is lost; trying again ..");
  part("port").replaceChildren(...[...access.ports.values()].map((port) => new Option(port.portName, port.portNumber)));
  part("bus").disabled = part("device").disabled = false;
  show("Connected.");
}

function cell(kind, text, found = false) {
  const element = document.createElement(kind);
  element.textContent = text;
  element.className = found ? "found" : "";
  return element;
}

/** What an address answered, as i2cdetect shows it: the address, "--" for nobody, "??" for an address not allowed. */
async function asked(port, address) {
  try {
    await port.open(address);
    return hex(address);
  } catch (error) {
    if (error.code === "ENXIO") {
      return "--";
    }
    if (error.code === "EACCES") {
      return "??";
    }
    throw error;
  }
}

async function scan() {
  const port = access.ports.get(part("port").value);
  const asking = [];
  for (let address = FIRST; address <= LAST; address++) {
    asking.push(asked(port, address));
  }
  const answers = await Promise.all(asking);
  const head = document.createElement("tr");
  head.append(cell("th", ""), ...Array.from({ length: ROW }, (_, low) => cell("th", low.toString(16))));
  const rows = [];
  for (let high = 0; high <= LAST; high += ROW) {
    const row = document.createElement("tr");
    row.append(cell("th", hex(high)));
    for (let address = high; address < high + ROW; address++) {
      const answer = address < FIRST || address > LAST ? "" : answers[address - FIRST];
      row.append(cell("td", answer, answer === hex(address)));
    }
    rows.push(row);
  }
  part("head").replaceChildren(head);
  part("map").replaceChildren(...rows);
  const found = answers.filter((answer) => answer !== "--" && answer !== "??");
  show(`${found.length} devices answer.`);
}

function numbers(text) {
  return text.split(/[\s,]+/).filter(Boolean).map(Number);
}

async function transfer() {
  const port = access.ports.get(part("port").value);
  const device = await port.open(Number(part("address").value), { probe: false });
  const bytes = numbers(part("bytes").value);
  const size = Number(part("size").value);
  if (bytes.length === 0 && size === 0) {
    throw new Error("There is nothing to write and nothing to read.");
  }
  let data = new Uint8Array(0);
  if (bytes.length > 0 && size > 0) {
    data = await device.writeReadBytes(bytes, size);
  } else if (size > 0) {
    data = await device.readBytes(size);
  } else {
    await device.writeBytes(bytes);
  }
  part("result").textContent = size > 0 ? [...data].map(hex).join(" ") : "written";
  show("Done.");
}

part("connect").addEventListener("submit", (event) => {
  event.preventDefault();
  connect().catch((error) => show(String(error)));
});
onPress(part("scan"), scan);
onPress(part("transfer"), transfer);
