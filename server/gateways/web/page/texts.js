// All texts of the page, in one place for translation.

const NUMBERS = new Intl.NumberFormat("en");

export const number = (value) => NUMBERS.format(value);
const many = (count, one, more) => `${number(count)} ${count === 1 ? one : more}`;

// Returns how long ago, in words. seconds: number.
export function age(seconds) {
  if (seconds < 1) return "now";
  if (seconds < 60) return `${Math.floor(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${many(Math.floor(seconds / 86400), "day", "days")} ${Math.floor((seconds % 86400) / 3600)} h`;
}

export const perSecond = (value) => (value === null ? T.none : value && value < 10 ? String(Number(value.toPrecision(2))) : number(Math.round(value)));
export const kilobytes = (value) => `${(value / 1000).toFixed(1)} kB`;
export const dbm = (value) => `${value} dBm`.replace("-", "\u2212");
export const duration = (seconds) => (seconds ? age(seconds).replace("now", "under 1 s") : "none");
export const milliseconds = (value) => (value && value < 10 ? value.toFixed(1) : value.toFixed(0)) + " ms";
// Returns a number of lines in a second.
export const rate = (value) => `${value && value < 0.995 ? value.toPrecision(2) : number(Math.round(value * 10) / 10)}/s`;
// Returns a time for the axis of a chart that shows this many seconds.
export const axisTime = (utc, span) => {
  const date = new Date(utc * 1000);
  if (span > 2 * 86400) return date.toLocaleDateString([], { day: "numeric", month: "short" });
  return date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: span < 600 ? "2-digit" : undefined });
};
export const quantity = (value) => (typeof value === "number" ? String(Number(value.toPrecision(6))) : String(value ?? T.none));
export const moment = (utc) => new Date(utc * 1000).toLocaleString();
// Returns a time that was: with its day, if that is not today.
export const when = (utc) => {
  const date = new Date(utc * 1000);
  return date.toDateString() === new Date().toDateString() ? date.toLocaleTimeString() : date.toLocaleString();
};

export const T = {
  title: "pb_link",
  skip: "Skip to the content",
  nav: { label: "Pages", clients: "Clients", i2c: "I2C", log: "Log", help: "Help" },
  logOut: "Log out",
  role: { view: "may view", send: "may send", administer: "administers" },
  login: {
    title: "Log in", user: "Name", password: "Password", do: "Log in",
    hint: "Whoever runs the server makes users: pb-link web user add NAME",
  },
  trouble: { lost: "No connection with the server. Trying again; what is shown may be old.", failed: "It failed" },
  live: "live", paused: "paused",
  state: { connected: "connected", away: "away", never: "never here" },
  never: "never", none: "–",
  clients: {
    title: "Clients",
    caption: "The clients of this server. The heads of columns sort.",
    search: "Find an id", state: "State", all: "all",
    columns: {
      id: "Client", state: "State", since: "For", last_line: "Last line", lines_received: "From it",
      lines_acknowledged: "To it", lines_per_s: "Lines/s", bytes_per_s: "Bytes/s", waiting: "Waiting", unread: "Unread",
      outages: "Outages", round_trip: "Round trip", wifi: "Wi-Fi", heap: "Heap", release: "Release",
    },
    summary: (states) =>
      `${many(states.connected, "client is", "clients are")} connected, ${number(states.away)} away, ` +
      `${number(states.never)} never here since the server started.`,
    range: (from, to, matching) => (matching ? `${number(from)}–${number(to)} of ${number(matching)}` : "no client"),
    previous: "Previous", next: "Next", empty: "No client fits. A key makes one: pb-link keys add NAME",
  },
  client: {
    gone: "There is no such client. Its key may have been revoked.",
    map: "Where the line stands",
    boxes: { board: "Board", bridge: "Bridge", wifi: "Wi-Fi", server: "Server", application: "Application" },
    is: { good: "works", unknown: "not known", bad: "does not answer", quiet: "waits", weak: "weak", idle: "idle" },
    board: (row) => ({
      connected: "Its program answers.", never: "It has not come yet.",
      away: `Nothing has come from it.${row.reason ? ` Why its connection ended: ${row.reason}.` : ""}`,
    })[row.state],
    bridges: { connected: "It passes lines on.", away: "Its power, its reset, or the I2C wires?", never: "Is it flashed and wired?" },
    wifi: { connected: "It carries them.", away: "In reach? Same network?", never: "Name and password right?" },
    signal: { good: (strength) => `Its signal is ${strength}.`, weak: (strength) => `Its signal is ${strength}, and frames may be lost: bring bridge and access point nearer.` },
    server: { connected: "It stores and acknowledges.", away: "It waits for the client.", never: "It waits for the client." },
    unread: (count) => `It has not read ${many(count, "line", "lines")}.`,
    waits: (count) => `${many(count, "line waits", "lines wait")} for the client.`,
    nothingWaits: "Nothing waits for the client.",
    bridge: (one) => [
      one.release ? `release ${one.release}` : null, `${number(one.free_bytes)} bytes free`,
      many(one.connections, "connection", "connections") + " since its start",
      one.rssi_dbm ? `Wi-Fi ${dbm(one.rssi_dbm)}` : null, `at ${when(one.at)}`,
    ].filter(Boolean).join(", "),
    noBridge: "tells nothing of itself",
    facts: {
      since: "Connected since", left: "Away since", reason: "Why it left", peer: "From", connections: "Connections",
      outages: "Outages", outage_s: "Away, outages that are over", received: "Lines from it", delivered: "Lines it has",
      waiting: "Lines that wait", unread: "Lines nobody has read", now: "Lines, bytes per second", again: "Sent again", round: "Round trip, mean", longest: "Round trip, longest", wire: "Bytes by TCP, in and out",
      bridge: "Bridge",
    },
    lines: "Last lines", way: { from: "from the client", to: "to the client" },
    more: (bytes) => `… ${number(bytes)} bytes`,
    noLines: "No line since the server started.",
    send: "Send a line", line: "Line", wait: "Wait until the client has it", do: "Send",
    stored: "It is stored, and will be delivered.", delivered: "The client has it.",
    late: "The client has not taken it yet. It may still be delivered.",
    keys: "Key", rotate: "Rotate", revoke: "Revoke", cancel: "Cancel", close: "I have copied it",
    askRotate: "Make a new key? The old one stays valid until the new one has been used.",
    askRevoke: "Take the key away? The client is disconnected and cannot come back with it.",
    revoked: "The key is gone.",
    shown: "The new key. It is shown this once, for the settings of the board:",
  },
  lines: {
    find: "Find in the lines", pause: "Pause", go: "Go on", missed: "Lines are missing here: more came than are kept.",
  },
  parts: { label: "Parts of the client", "": "Overview", sensors: "Sensors", console: "Console", i2c: "I2C" },
  i2c: {
    title: "I2C", caption: "Addresses of the bus", asking: "Asking for the buses …",
    none: "No bus may be used here. The setting i2c of [web] names those of [i2c.buses] that may: docs/web.md, docs/remote-i2c.md.",
    noneOf: "No bus of this client may be used here. Its program needs an I2CService, and the settings a bus client:ID:0 in [i2c.buses], named in i2c of [web]: docs/remote-i2c.md.",
    choose: "Bus", bus: (name, client) => (client === null ? name : `${name} (of ${client})`),
    allowed: (count) => `${many(count, "address", "addresses")} may be used.`,
    legend: "· not looked at, -- no answer, UU a driver has it, ? the bus cannot look, × the client does not allow it",
    marks: { found: "answers", none: "no answer", in_use: "a driver of the kernel has it", unknown: "the bus cannot look", refused: "the client does not allow it", allowed: "not looked at" },
    scan: "Scan", scanning: "Scanning …", scanned: (found, of) => `${number(found)} of ${many(of, "address answers", "addresses answer")}.`,
    use: (address) => `Use address 0x${address}`, role: "Your role does not allow to scan and to transfer.",
    transfer: "Transfer", address: "Address", write: "Bytes to write, hexadecimal", read: "Bytes to read", do: "Transfer",
    hint: "What is written may change the device for good: an EEPROM can be erased.",
    results: "Transfers", nothing: "nothing", done: "Done.",
    result: (address, written, read) =>
      [`0x${address}`, written && `wrote ${written}`, read && `read ${read}`].filter(Boolean).join("  "),
  },
  console: {
    title: "Console",
    none: "Nothing yet. A client with AppBase(.., console=True) shows here what its program prints: docs/console.md.",
    type: "Type for its prompt", input: "Input", do: "Enter", begun: "The line that has begun:",
    interrupt: "Ctrl-C", interrupts: "Interrupt its program", restart: "Ctrl-D", restarts: "Restart its program, at the prompt",
    hint: "Whoever types here can do anything with the board.",
  },
  sensors: {
    title: "Sensors", caption: "The newest values of each device on the client's sensor bus.",
    columns: { device: "Device", type: "Type", name: "Value", value: "Now", range: "Lowest to highest here", chart: "Course", age: "Age" },
    states: {
      asking: "The client is being asked for its devices.",
      away: "The client is not connected here. Its samples are shown when it is back; what is shown is from before.",
      none: "This client has no sensor bus, or does not say so. Its program needs a SensorService: docs/sensor-bus.md says how. Sensors on the board's second I2C bus then appear here by themselves.",
      empty: "No device is on the client's sensor bus now. What is plugged in appears here.",
      there: "",
    },
    summary: (count) => `${many(count, "device", "devices")} on the bus.`,
    untyped: "No type is known for it: nothing is read", waiting: "No sample yet", invalid: "not to be trusted", offline: "▲ does not answer", bytes: "Bytes",
    range: (low, high) => `${quantity(low)} to ${quantity(high)}`,
    course: (count) => `${many(count, "value", "values")} since this page is open`,
    bus: "The bus", requests: { rescan: "Scan all addresses", pause: "Pause", resume: "Go on" },
    done: { rescan: "It scans.", pause: "It scans and polls no more until it goes on.", resume: "It scans and polls." },
    reads: "Who looks on here reads the samples. If no application reads them too, they are not kept.",
  },
  history: {
    title: "What it did", spans: { hour: "Last hour", day: "Last day", week: "Last week", year: "Last year" },
    in: "Zoom in", out: "Zoom out", earlier: "Earlier", later: "Later", now: "now",
    range: (from, to, step) => `${from} to ${to}. ${step} Mark a part of a chart to see it closer.`,
    step: (seconds) => `Each point is ${age(seconds)}.`,
    loading: "Reading what was measured …", off: "Nothing is measured: [web] has history = false.",
    failed: (why) => `It cannot be read: ${why}`, noCharts: "what draws the charts did not come",
    time: "Time", table: "Table", outages: "Outages in this time", noOutage: "None with a known reason.",
    described: (title, from, to, most) => `${title}, from ${from} to ${to}. The highest value is ${most}. The table has all.`,
    charts: {
      connected: { title: "Connected", series: { connected: "of the time" } },
      breaks: { title: "Outages and resets", series: { outages: "outages", board: "starts of the board's program", bridge: "starts of the bridge", anew: "connected anew, no outage" } },
      lines: { title: "Lines", series: { from: "from it", to: "to it" } },
      round: { title: "Round trip", series: { mean: "mean", least: "shortest", most: "longest" } },
      backlog: { title: "Lines that wait", series: { to: "for the client", from: "for the application" } },
    },
  },
  log: {
    title: "Log", caption: "The last events of the server, the newest first.", find: "Find",
    columns: { at: "Time", level: "Level", event: "Event", client: "Client", details: "Details" },
    level: { info: "info", warning: "warning", error: "error" }, empty: "No event fits.",
  },
  help: {
    title: "Help",
    states: "What the states mean",
    rows: [
      ["connected", "The client's program has proved its key, and lines pass both ways.", "Nothing to do."],
      ["away", "It was here since the server started, and is not now. Lines to it are stored and wait; what it writes waits on its side.",
        "Look at the time and the reason on its page. Are board and bridge powered? Is the Wi-Fi up? The bridge tries again by itself, so an outage of the Wi-Fi ends without you."],
      ["never", "It has a key and has not come since the server started.",
        "Is the server's address in its settings right, and reachable from its Wi-Fi? Has the log a line refused or no_key at the time of its attempts?"],
    ],
    numbers: "What the numbers mean",
    terms: [
      ["Where the line stands", "\u201cwaits\u201d: lines have not moved for some seconds. Does the application run, and read? Is the client here? \u201cweak\u201d: the Wi-Fi has a signal, and not much of it. \u201cidle\u201d: nothing waits. \u201cnot known\u201d: of what is between a client that is away and the server, the server knows nothing."],
      ["From it, To it", "Lines stored that the client has sent; lines that it has acknowledged. Since the server started."],
      ["Lines/s, Bytes/s", "Of the last 5 seconds, both ways. The bytes are those of TCP: keepalives too."],
      ["Unread", "Lines of the client that no application of this server has read."],
      ["Wi-Fi, Heap, Release", "From the bridge's last report, if the client passes reports on: the strength of its Wi-Fi (better than \u221270 dBm is good, worse than \u221280 is weak), its free memory, its version."],
      ["Waiting", "Lines in the store that the client has not acknowledged. They are delivered once, in order, when it is back."],
      ["Outages", "How often the connection ended. One a week is the Wi-Fi; many in an hour are a weak signal or supply."],
      ["Connections", "A bridge that comes again before the server's timeout has only taken the place of its connection: that is no outage, and the charts say \u201cconnected anew\u201d."],
      ["Round trip", "From sending a line to the acknowledgement of the client's program."],
      ["What it did", "Measured while the server ran. Where a chart has a gap, nothing is known. Seconds are kept for an hour, minutes for a day, hours for a year."],
    ],
    more: "docs/operations.md explains each event of the log, docs/hardware.md what to check when nothing works.",
  },
};
