// The named exports of web_i2c.js, for `import { requestI2CAccess } from ..`. SPDX-License-Identifier: MIT
import "./web_i2c.js";

const { requestI2CAccess, configure, I2CError, I2CAccess, I2CPortMap, I2CPort, I2CSlaveDevice } = globalThis.WebI2C;

if (!globalThis.WebI2C.scriptAddress && /^https?:/.test(import.meta.url)) {
  globalThis.WebI2C.scriptAddress = import.meta.url;
}

export { requestI2CAccess, configure, I2CError, I2CAccess, I2CPortMap, I2CPort, I2CSlaveDevice };
