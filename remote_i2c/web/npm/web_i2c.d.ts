// Types of web_i2c.js. SPDX-License-Identifier: MIT

export type I2CErrorName = "NotSupportedError" | "InvalidAccessError" | "OperationError" | "NetworkError";

export class I2CError extends Error {
  readonly name: I2CErrorName;
  /** The name of an errno, such as "ENXIO", or "". */
  readonly code: string;
  readonly place: "caller" | "lock" | "link" | "bus" | "";
}

export interface I2COptions {
  /** Of the door's WebSocket. Default: beside the script, or at the page's server. */
  url?: string | null;
  token?: string;
  /** In place of globalThis.WebSocket. */
  WebSocket?: (new (url: string, protocols?: string | string[]) => unknown) | null;
  connectTimeoutMs?: number;
  callTimeoutMs?: number;
}

export class I2CAccess {
  readonly ports: I2CPortMap;
  readonly connected: boolean;
  onconnectionchange: ((connected: boolean) => void) | null;
  close(): void;
}

export class I2CPortMap implements Iterable<[number, I2CPort]> {
  readonly size: number;
  get(portNumber: number | string): I2CPort | undefined;
  has(portNumber: number | string): boolean;
  getByName(portName: string): I2CPort | undefined;
  keys(): IterableIterator<number>;
  keys(callback: (portNumber: number) => void): void;
  values(): IterableIterator<I2CPort>;
  values(callback: (port: I2CPort) => void): void;
  entries(): IterableIterator<[number, I2CPort]>;
  forEach(callback: (port: I2CPort, portNumber: number, ports: I2CPortMap) => void, thisArgument?: unknown): void;
  [Symbol.iterator](): IterableIterator<[number, I2CPort]>;
}

export class I2CPort {
  readonly portNumber: number;
  readonly portName: string;
  readonly pinName: string;
  open(slaveAddress: number, options?: { probe?: boolean }): Promise<I2CSlaveDevice>;
}

export class I2CSlaveDevice {
  readonly slaveAddress: number;
  readonly address: number;
  read8(registerNumber: number): Promise<number>;
  read16(registerNumber: number): Promise<number>;
  write8(registerNumber: number, value: number): Promise<number>;
  write16(registerNumber: number, value: number): Promise<number>;
  readByte(): Promise<number>;
  readBytes(length: number): Promise<Uint8Array>;
  writeByte(value: number): Promise<number>;
  writeBytes(bytes: ArrayLike<number> | ArrayBuffer): Promise<Uint8Array>;
  writeReadBytes(bytes: ArrayLike<number> | ArrayBuffer, length: number): Promise<Uint8Array>;
}

export function requestI2CAccess(options?: I2COptions): Promise<I2CAccess>;
export function configure(options: I2COptions): void;

declare global {
  interface Navigator {
    requestI2CAccess(): Promise<I2CAccess>;
  }
}
