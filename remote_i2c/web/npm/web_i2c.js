/*
 * web_i2c.js: the Web I2C API for pages, workers and Node.js, over one WebSocket to a door of pb_link.
 *
 *     <script src="http://127.0.0.1:8080/web_i2c.js"></script>
 *     const access = await navigator.requestI2CAccess();
 *     const device = await access.ports.get(1).open(0x48);
 *     const value = await device.read8(0x00);
 *
 * One file without a build step: a classic script, an ES module that is imported for its effect, or `require`. It sets
 * globalThis.WebI2C, and navigator.requestI2CAccess if there is none. web_i2c.mjs has the same as named exports.
 * The bytes on the WebSocket are described in docs/remote-i2c.md; remote_i2c/web/frames.py is the other side.
 *
 * SPDX-License-Identifier: MIT
 */
(function (root) {
  "use strict";

  const VERSION = 1;
  const SUBPROTOCOL = "pb-link.web-i2c.1";

  const HELLO = 0x01;
  const WRITE = 0x10;
  const READ = 0x11;
  const WRITE_READ = 0x12;
  const PROBE = 0x13;
  const WELCOME = 0x81;
  const DONE = 0x90;
  const FAILED = 0x91;

  // The places of the names and of the parts of the way in the door's tables.
  const NAMES = ["NotSupportedError", "InvalidAccessError", "OperationError", "NetworkError"];
  const PLACES = ["caller", "lock", "link", "bus"];
  const [NOT_SUPPORTED, INVALID_ACCESS, OPERATION, NETWORK] = NAMES;

  // Codes with which the door closes a WebSocket.
  const WRONG_TOKEN = 4001;
  const BAD_MESSAGE = 4002;

  const HIGHEST_ADDRESS = 0x7f;
  const MAX_QUEUED = 1024; // calls that wait for room, or for a connection
  const FIRST_BACK_OFF_MS = 100;
  const MAX_BACK_OFF_MS = 5000;
  const DEFAULTS = {
    connectTimeoutMs: 5000, // until requestI2CAccess gives up, and until one attempt to connect does
    callTimeoutMs: 15000, // until a call fails: the door answers each call within 14 s
  };

  /** What a failed call rejects with. `name` is one of NAMES; `code` the name of an errno such as "ENXIO", or ""; `place`
   * the part of the way that failed: "caller", "lock", "link", "bus". */
  class I2CError extends Error {
    constructor(name, message, code = "", place = "caller") {
      super(message);
      this.name = name;
      this.code = code;
      this.place = place;
    }
  }

  // Numbers, as Web IDL takes them: the fraction is dropped. What is then out of range is an error, and nothing is sent.

  function integer(value, lowest, highest, what, name = INVALID_ACCESS) {
    const number = typeof value === "number" ? Math.trunc(value) : NaN;
    if (!(number >= lowest && number <= highest)) {
      throw new I2CError(name, `${what} must be a number from ${lowest} to ${highest}, not ${shown(value)}`, "EINVAL");
    }
    return number;
  }

  function shown(value) {
    try {
      return String(value).slice(0, 40);
    } catch (error) {
      return typeof value;
    }
  }

  function octets(values, most) {
    if (values instanceof ArrayBuffer) {
      values = new Uint8Array(values);
    }
    const length = values === null || values === undefined || typeof values === "string" ? NaN : values.length;
    integer(length, 1, most, "the number of bytes");
    return Uint8Array.from(values, (value) => integer(value, 0, 0xff, "a byte"));
  }

  // Frames.

  function helloFrame(token) {
    const data = new TextEncoder().encode(token);
    const frame = new Uint8Array(2 + data.length);
    frame.set([HELLO, VERSION]);
    frame.set(data, 2);
    return frame;
  }

  /** Returns the frame of a call, without its id. written: Uint8Array or null; size: bytes to read, or null. */
  function callFrame(port, address, written, size) {
    const reads = size !== null;
    const kind = written !== null ? (reads ? WRITE_READ : WRITE) : reads ? READ : PROBE;
    const head = 8 + (reads ? 2 : 0);
    const frame = new Uint8Array(head + (written === null ? 0 : written.length));
    const view = new DataView(frame.buffer);
    view.setUint8(0, kind);
    view.setUint16(5, port);
    view.setUint8(7, address);
    if (reads) {
      view.setUint16(8, size);
    }
    if (written !== null) {
      frame.set(written, head);
    }
    return frame;
  }

  function decodeWelcome(data) {
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const welcome = { inFlight: view.getUint16(2), ports: [] };
    let at = 5;
    for (let count = view.getUint8(4); count > 0; count--) {
      const length = view.getUint8(at + 4);
      const name = new TextDecoder().decode(data.subarray(at + 5, at + 5 + length));
      welcome.ports.push({ number: view.getUint16(at), maxBytes: view.getUint16(at + 2), name });
      at += 5 + length;
    }
    return welcome;
  }

  function decodeFailed(data) {
    const length = data[7];
    const text = new TextDecoder();
    const code = text.decode(data.subarray(8, 8 + length));
    const message = text.decode(data.subarray(8 + length));
    return new I2CError(NAMES[data[5]] || OPERATION, message, code, PLACES[data[6]] || "");
  }

  /** One WebSocket after another to one door, and the calls that wait for answers.
   *
   * Calls leave in the order in which they were made, without waiting for answers, as many at a time as the door takes.
   * When a connection is lost, all calls that wait fail: whether they have reached their device is not known. Calls that
   * are made while there is none wait for the next one. Each call ends within callTimeoutMs. */
  class Link {
    constructor(settings) {
      this.settings = settings;
      this.onwelcome = null; // called with each WELCOME
      this.onchange = null; // called with true and false
      this._most = 0; // calls that may be sent without an answer
      this.fault = null; // why there will be no connection any more
      this.lastFault = "the door does not answer";
      this.connected = false;
      this._socket = null;
      this._queue = []; // calls that were not sent
      this._sent = new Map(); // id -> call
      this._nextId = 1;
      this._attempts = 0;
      this._timer = null; // of the attempt that is made, or of the next one
      this._connect();
    }

    /** Returns a promise of the bytes that the door answers. */
    call(port, address, written, size) {
      return new Promise((resolve, reject) => {
        if (this.fault !== null) {
          throw this.fault;
        }
        if (this._queue.length >= MAX_QUEUED) {
          throw new I2CError(OPERATION, `${MAX_QUEUED} calls wait already: await some before you make more`, "EAGAIN");
        }
        const call = { frame: callFrame(port, address, written, size), resolve, reject, id: 0, timer: null };
        call.timer = setTimeout(() => this._tooLate(call), this.settings.callTimeoutMs);
        this._queue.push(call);
        this._pump();
      });
    }

    /** End it for good: calls fail with this error. */
    end(fault) {
      if (this.fault === null) {
        this.fault = fault;
        clearTimeout(this._timer);
        this._drop(fault);
        this._failAll(fault);
      }
    }

    _connect() {
      const Socket = this.settings.WebSocket || root.WebSocket;
      let socket;
      try {
        if (typeof Socket !== "function") {
          throw new Error("there is no WebSocket here: give one as { WebSocket }");
        }
        socket = new Socket(this.settings.url, SUBPROTOCOL);
      } catch (error) {
        this.end(new I2CError(NOT_SUPPORTED, error.message));
        return;
      }
      socket.binaryType = "arraybuffer";
      this._socket = socket;
      this._timer = setTimeout(() => this._lost("it does not answer", 0), this.settings.connectTimeoutMs);
      // Handlers heed their own socket alone: one that was given up may still speak.
      const own = (handle) => (event) => socket === this._socket && handle(event);
      socket.onopen = own(() => socket.send(helloFrame(this.settings.token)));
      socket.onmessage = own((event) => this._receive(event.data));
      socket.onerror = own(() => {}); // a close follows
      socket.onclose = own((event) => this._lost(event.reason, event.code));
    }

    _receive(data) {
      const frame = data instanceof ArrayBuffer ? new Uint8Array(data) : new Uint8Array(0);
      try {
        if (frame[0] === WELCOME) {
          this._welcomed(decodeWelcome(frame));
        } else if (frame[0] === DONE || frame[0] === FAILED) {
          const call = this._take(new DataView(frame.buffer).getUint32(1));
          if (call && frame[0] === DONE) {
            call.resolve(frame.slice(5));
          } else if (call) {
            call.reject(decodeFailed(frame));
          }
          this._pump();
        } else {
          throw new RangeError("unknown kind");
        }
      } catch (error) {
        this._lost(`it sent what is no frame (${error.message})`, 0);
      }
    }

    _welcomed(welcome) {
      clearTimeout(this._timer);
      this._attempts = 0;
      this._most = welcome.inFlight;
      this.connected = true;
      this._tell(this.onwelcome, welcome);
      this._tell(this.onchange, true);
      this._pump();
    }

    /** What a program does with news is its own affair, and breaks nothing here. */
    _tell(listener, news) {
      if (typeof listener === "function") {
        Promise.resolve(news).then(listener);
      }
    }

    _pump() {
      while (this.connected && this._queue.length > 0 && this._sent.size < this._most) {
        const call = this._queue.shift();
        call.id = this._newId();
        this._sent.set(call.id, call);
        new DataView(call.frame.buffer).setUint32(1, call.id);
        this._socket.send(call.frame);
      }
    }

    _newId() {
      const id = this._nextId;
      this._nextId = id === 0xffffffff ? 1 : id + 1;
      return id;
    }

    _take(id) {
      const call = this._sent.get(id);
      if (call) {
        this._sent.delete(id);
        clearTimeout(call.timer);
      }
      return call;
    }

    _tooLate(call) {
      const waited = this._queue.indexOf(call);
      const why = this.connected ? "" : `: ${this.lastFault}`;
      call.reject(new I2CError(NETWORK, `no answer within ${this.settings.callTimeoutMs} ms${why}`, "ETIMEDOUT", "link"));
      if (waited >= 0) {
        this._queue.splice(waited, 1);
      } else {
        this._sent.delete(call.id);
        this._lost("it did not answer a call", 0); // the door answers each, so it is not reached
      }
    }

    _lost(reason, code) {
      const wasConnected = this.connected;
      this.lastFault = reason
        ? `the door: ${reason}`
        : "the door is not reached, or does not allow pages of this origin: see its setting origins";
      if (code === WRONG_TOKEN) {
        this.end(new I2CError(INVALID_ACCESS, this.lastFault, "EACCES"));
        return;
      }
      if (code === BAD_MESSAGE && !wasConnected) {
        this.end(new I2CError(NOT_SUPPORTED, this.lastFault));
        return;
      }
      this._drop();
      if (wasConnected) {
        const text = `the connection was lost (${this.lastFault}); a call under way may have been done or not`;
        this._failAll(new I2CError(NETWORK, text, "ECONNRESET", "link"));
      }
      const backOff = Math.min(FIRST_BACK_OFF_MS * 2 ** this._attempts, MAX_BACK_OFF_MS);
      this._attempts++;
      clearTimeout(this._timer);
      this._timer = setTimeout(() => this._connect(), backOff * (0.5 + Math.random() / 2));
    }

    _drop() {
      const socket = this._socket;
      this._socket = null;
      if (socket !== null) {
        socket.close();
      }
      if (this.connected) {
        this.connected = false;
        this._tell(this.onchange, false);
      }
    }

    _failAll(error) {
      const calls = [...this._sent.values(), ...this._queue];
      this._sent.clear();
      this._queue = [];
      for (const call of calls) {
        clearTimeout(call.timer);
        call.reject(error);
      }
    }
  }

  /** The ports of a door. `keys` and `values` take a function, as the draft has it, or return an iterator, as a Map. */
  class I2CPortMap {
    constructor(link) {
      this._link = link;
      this._ports = new Map();
    }

    get size() {
      return this._ports.size;
    }

    get(portNumber) {
      return this._ports.get(Number(portNumber));
    }

    has(portNumber) {
      return this._ports.has(Number(portNumber));
    }

    /** By the name of the bus, or by "i2c-" and the number. */
    getByName(portName) {
      const ports = [...this._ports.values()];
      return ports.find((port) => port.portName === portName) || ports.find((port) => port._alias === portName);
    }

    keys(callback) {
      return given(this._ports.keys(), callback);
    }

    values(callback) {
      return given(this._ports.values(), callback);
    }

    entries() {
      return this._ports.entries();
    }

    forEach(callback, thisArgument) {
      this._ports.forEach((port, number) => callback.call(thisArgument, port, number, this));
    }

    [Symbol.iterator]() {
      return this._ports.entries();
    }

    _update(ports) {
      const before = this._ports;
      this._ports = new Map();
      for (const { number, maxBytes, name } of ports) {
        const port = before.get(number) || new I2CPort(this._link, number);
        port.portName = name === String(number) ? port._alias : name;
        port._maxBytes = maxBytes;
        this._ports.set(number, port);
      }
    }
  }

  function given(iterator, callback) {
    if (callback === undefined) {
      return iterator;
    }
    for (const one of iterator) {
      callback(one);
    }
    return undefined;
  }

  class I2CPort {
    constructor(link, number) {
      this._link = link;
      this._alias = `i2c-${number}`;
      this._maxBytes = 0; // of a transfer
      this.portNumber = number;
      this.portName = this._alias;
      this.pinName = "";
    }

    /** Returns a promise of the device, which acknowledges its address now. { probe: false }: it need not be there yet. */
    async open(slaveAddress, { probe = true } = {}) {
      const address = integer(slaveAddress, 0, HIGHEST_ADDRESS, "an address", NOT_SUPPORTED);
      if (probe) {
        let found;
        try {
          found = await this._link.call(this.portNumber, address, null, null);
        } catch (error) {
          // The draft has these two names for `open`, and NetworkError is ours.
          throw error.name === INVALID_ACCESS ? new I2CError(NOT_SUPPORTED, error.message, error.code, error.place) : error;
        }
        if (found[0] !== 1) {
          const text = `no device acknowledges address 0x${address.toString(16).padStart(2, "0")} of ${this.portName}`;
          throw new I2CError(OPERATION, text, "ENXIO", "bus");
        }
      }
      return new I2CSlaveDevice(this, address);
    }
  }

  /** A device. Registers are numbers of one byte. What is written is what the promise resolves with. Words are
   * little-endian, as CHIRIMEN's drivers expect them. */
  class I2CSlaveDevice {
    constructor(port, slaveAddress) {
      this._port = port;
      this.slaveAddress = slaveAddress;
      this.address = slaveAddress;
    }

    async read8(registerNumber) {
      return (await this._call(register(registerNumber), 1))[0];
    }

    async read16(registerNumber) {
      const data = await this._call(register(registerNumber), 2);
      return data[0] | (data[1] << 8);
    }

    async write8(registerNumber, value) {
      const octet = integer(value, 0, 0xff, "the value");
      await this._call(Uint8Array.of(...register(registerNumber), octet), null);
      return octet;
    }

    async write16(registerNumber, value) {
      const word = integer(value, 0, 0xffff, "the value");
      await this._call(Uint8Array.of(...register(registerNumber), word & 0xff, word >> 8), null);
      return word;
    }

    async readByte() {
      return (await this._call(null, 1))[0];
    }

    /** A promise of a Uint8Array. */
    async readBytes(length) {
      return this._call(null, this._size(length));
    }

    async writeByte(value) {
      const octet = integer(value, 0, 0xff, "the value");
      await this._call(Uint8Array.of(octet), null);
      return octet;
    }

    /** bytes: an array, a typed array or an ArrayBuffer. A promise of a Uint8Array of what was written. */
    async writeBytes(bytes) {
      const data = octets(bytes, this._most());
      await this._call(data, null);
      return data;
    }

    /** Write, then read in the same transfer, after a repeated start. A promise of a Uint8Array. */
    async writeReadBytes(bytes, length) {
      const size = this._size(length);
      return this._call(octets(bytes, this._most()), size);
    }

    _most() {
      return this._port._maxBytes;
    }

    _size(length) {
      return integer(length, 1, this._most(), "the number of bytes");
    }

    _call(written, size) {
      return this._port._link.call(this._port.portNumber, this.slaveAddress, written, size);
    }
  }

  function register(number) {
    return Uint8Array.of(integer(number, 0, 0xff, "a register"));
  }

  class I2CAccess {
    constructor(link) {
      this._link = link;
      this.ports = new I2CPortMap(link);
      this.onconnectionchange = null; // a function of one argument: whether there is a connection
      link.onchange = (connected) => typeof this.onconnectionchange === "function" && this.onconnectionchange(connected);
    }

    /** Whether there is a connection now. */
    get connected() {
      return this._link.connected;
    }

    /** End it: calls fail from now on. requestI2CAccess makes a new one. */
    close() {
      this._link.end(new I2CError(NETWORK, "this access was closed", "ECONNABORTED"));
    }
  }

  // Requests.

  const settings = { url: null, token: "", WebSocket: null, ...DEFAULTS };
  const accesses = new Map(); // url and token -> { link, promise }

  /** Sets what requestI2CAccess uses without options: url of the door's WebSocket, token, WebSocket (a class),
   * connectTimeoutMs, callTimeoutMs. */
  function configure(options) {
    Object.assign(settings, known(options));
  }

  function known(options) {
    for (const name of Object.keys(options)) {
      if (!(name in settings)) {
        throw new TypeError(`there is no setting ${name}: ${Object.keys(settings).join(", ")}`);
      }
    }
    return options;
  }

  /** Returns the address of the WebSocket: beside this script, if that came from a door, or at the page's own server. */
  function doorAddress(given) {
    let base = null;
    if (api.scriptAddress) {
      base = new URL("i2c", api.scriptAddress);
    } else if (typeof location === "object" && /^https?:/.test(location.href)) {
      base = new URL("/i2c", location.href);
    }
    const url = given ? new URL(given, base || undefined) : base;
    if (url === null) {
      throw new Error("say where the door is: WebI2C.configure({ url: \"ws://127.0.0.1:8080/i2c\" })");
    }
    url.protocol = url.protocol.replace(/^http/, "ws");
    return url.href;
  }

  /** Returns a promise of an I2CAccess. options: as of configure, for this request. Requests for one door share one
   * connection, and one I2CAccess. */
  async function requestI2CAccess(options = {}) {
    const chosen = { ...settings, ...known(options) };
    try {
      chosen.url = doorAddress(chosen.url);
    } catch (error) {
      throw new I2CError(NOT_SUPPORTED, error.message);
    }
    const key = JSON.stringify([chosen.url, chosen.token]);
    let entry = accesses.get(key);
    if (entry === undefined || entry.link.fault !== null) {
      entry = openAccess(chosen);
      accesses.set(key, entry);
    }
    return entry.promise;
  }

  function openAccess(chosen) {
    const link = new Link(chosen);
    const access = new I2CAccess(link);
    const promise = new Promise((resolve, reject) => {
      const giveUp = () => {
        const text = `no door at ${chosen.url} within ${chosen.connectTimeoutMs} ms: ${link.lastFault}`;
        link.end(new I2CError(NETWORK, text, "ETIMEDOUT", "link"));
      };
      const timer = setTimeout(giveUp, chosen.connectTimeoutMs);
      const end = link.end.bind(link);
      link.end = (fault) => {
        clearTimeout(timer);
        end(fault);
        reject(link.fault);
      };
      link.onwelcome = (welcome) => {
        clearTimeout(timer);
        access.ports._update(welcome.ports);
        resolve(access);
      };
      if (link.fault !== null) {
        clearTimeout(timer);
        reject(link.fault);
      }
    });
    return { link, promise };
  }

  const api = { requestI2CAccess, configure, I2CError, I2CAccess, I2CPortMap, I2CPort, I2CSlaveDevice };
  // Where this script came from, where that can be told: of a module web_i2c.mjs tells it.
  api.scriptAddress = (typeof document === "object" && document && document.currentScript && document.currentScript.src) || "";
  root.WebI2C = api;
  if (typeof navigator === "object" && navigator !== null && !navigator.requestI2CAccess) {
    navigator.requestI2CAccess = () => requestI2CAccess();
  }
  if (typeof module === "object" && module !== null && module.exports) {
    module.exports = api;
  }
})(globalThis);
