// The simulated ESP8266's link to the wire process. Frames: sim/mpy/boards/link/simlink.py; numbers: sim/mpy/frames.py.
#pragma once

#include "py/runtime.h"
#include "extmod/modmachine.h"

enum {
    REPLY = 1, EDGE = 2, MEASURE = 4,
    PIN_MODE = 3, PIN_WRITE = 4, PIN_READ = 5, PIN_IRQ = 6,
    I2C_OPEN = 7, I2C_TRANSFER = 8, I2C_PRIMITIVE = 9,
    WATCHDOG = 13, RESET = 14, WLAN = 15, TCP_OPEN = 16, RESET_CAUSE = 17, MEASURED = 19,
    LWIP = 24,
};

typedef struct {
    uint8_t kind, a, b, c;
    uint16_t d;
    size_t n_out;  // payload: buffers that are sent one after the other
    const mp_machine_i2c_buf_t *out;
    mp_machine_i2c_buf_t into;  // where the reply's payload goes
} request_t;

// One request. Returns: the reply's value, or the negative of its errno. Soft callbacks do not run meanwhile.
int simchip_ask(const request_t *request);

// The same for a request without payload. Raises: OSError.
int simchip_call(uint8_t kind, uint8_t a, uint8_t b, uint8_t c, uint16_t d);

bool simchip_attached(void);

// A callback was scheduled outside of the virtual machine, which may be about to sleep: wake it.
void simchip_kick(void);

// simmachine.c: the wire process has seen an edge on a pin that has an interrupt.
void simchip_edge(unsigned gpio);

// simflash.c: simchip.flash(), simchip.rom(), esp.flash_*()
MP_DECLARE_CONST_FUN_OBJ_1(simchip_flash_obj);
MP_DECLARE_CONST_FUN_OBJ_0(simchip_rom_obj);
MP_DECLARE_CONST_FUN_OBJ_0(simchip_flash_size_obj);
MP_DECLARE_CONST_FUN_OBJ_0(simchip_flash_user_start_obj);
MP_DECLARE_CONST_FUN_OBJ_2(simchip_flash_read_obj);
MP_DECLARE_CONST_FUN_OBJ_2(simchip_flash_write_obj);
MP_DECLARE_CONST_FUN_OBJ_1(simchip_flash_erase_obj);
