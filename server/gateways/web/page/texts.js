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

export const duration = (seconds) => (seconds ? age(seconds).replace("now", "under 1 s") : "none");
export const milliseconds = (value) => (value < 10 ? value.toFixed(1) : value.toFixed(0)) + " ms";
export const moment = (utc) => new Date(utc * 1000).toLocaleString();
export const clock = (utc) => new Date(utc * 1000).toLocaleTimeString();

export const T = {
  title: "pb_link",
  skip: "Skip to the content",
  nav: { label: "Pages", clients: "Clients", log: "Log", help: "Help" },
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
      lines_acknowledged: "To it", waiting: "Waiting", outages: "Outages", round_trip: "Round trip",
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
    good: "works", unknown: "not known", bad: "does not answer", quiet: "waits",
    words: {
      board: { connected: "Its program answers.", away: "Nothing has come from it.", never: "It has not come yet." },
      bridge: { connected: "It passes lines on.", away: "Its power, its reset, or the I2C wires?", never: "Is it flashed and wired?" },
      wifi: { connected: "It carries them.", away: "In reach? Same network?", never: "Name and password right?" },
      server: { connected: "It stores and acknowledges.", away: "It waits for the client.", never: "It waits for the client." },
    },
    application: (row) =>
      row.waiting_lines ? `${many(row.waiting_lines, "line waits", "lines wait")} for the client.` : "Nothing waits for the client.",
    facts: {
      since: "Connected since", left: "Away since", reason: "Why it left", peer: "From", connections: "Connections",
      outages: "Outages", outage_s: "Away in all", received: "Lines from it", delivered: "Lines it has",
      waiting: "Lines that wait", again: "Sent again", round: "Round trip, mean", longest: "Round trip, longest", wire: "Bytes by TCP, in and out",
    },
    lines: "Last lines", way: { from: "from the client", to: "to the client" },
    find: "Find in the lines", pause: "Pause", go: "Go on", more: (bytes) => `… ${number(bytes)} bytes`,
    missed: "Lines are missing here: more came than are kept.", noLines: "No line since the server started.",
    send: "Send a line", line: "Line", wait: "Wait until the client has it", do: "Send",
    stored: "It is stored, and will be delivered.", delivered: "The client has it.",
    late: "The client has not taken it yet. It may still be delivered.",
    keys: "Key", rotate: "Rotate", revoke: "Revoke", cancel: "Cancel", close: "I have copied it",
    askRotate: "Make a new key? The old one stays valid until the new one has been used.",
    askRevoke: "Take the key away? The client is disconnected and cannot come back with it.",
    revoked: "The key is gone.",
    shown: "The new key. It is shown this once, for the settings of the board:",
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
      ["From it, To it", "Lines stored that the client has sent; lines that it has acknowledged. Since the server started."],
      ["Waiting", "Lines in the store that the client has not acknowledged. They are delivered once, in order, when it is back."],
      ["Outages", "How often the connection ended. One a week is the Wi-Fi; many in an hour are a weak signal or supply."],
      ["Round trip", "From sending a line to the acknowledgement of the client's program."],
    ],
    more: "docs/operations.md explains each event of the log, docs/hardware.md what to check when nothing works.",
  },
};
