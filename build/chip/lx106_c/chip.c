// The chip's modules, with what the bridge uses of them: machine, network, esp, socket. Their objects are as big as those
// of ports/esp8266 and extmod/modlwip.c. What they do, the environment does (border.environment):
//
//   exchange(reading, at, buf)   an I2C transaction of the mailbox; returns False if nothing answers
//   pulse(level)                 an output pin is set
//   received(buf)                returns how many bytes of the socket were copied to buf, or None
//   sent(buf)                    returns how many bytes of it the socket has taken, or None
//   polled(flags)                returns the flags of MP_STREAM_POLL that hold
//   feed()                       the watchdog is fed

#include <string.h>

#include "py/mperrno.h"
#include "py/mphal.h"
#include "py/runtime.h"
#include "py/stream.h"
#include "extmod/modmachine.h"
#include "semihosting.h"
#include "worlds.h"

// The SDK's loop, as ports/esp8266/ets_alt_task.c has it, with nothing in its queues.

static struct {
    uint32_t i_get, i_put;
} volatile tasks[2];
static uint32_t time_low, time_high;

static void __attribute__((noinline)) soft_watchdog_fed(void) {
    __asm__ volatile ("" ::: "memory");
}

bool ets_loop_iter(void) {
    uint32_t state = esp_disable_irq();
    uint32_t now = mp_hal_ticks_us();
    if (now < time_low) {
        time_high++;
    }
    time_low = now;
    esp_enable_irq(state);
    bool progress = false;
    for (size_t i = 0; i < MP_ARRAY_SIZE(tasks); i++) {
        soft_watchdog_fed();
        state = esp_disable_irq();
        progress |= tasks[i].i_get != tasks[i].i_put;
        esp_enable_irq(state);
    }
    return progress;
}

// Pin

#define GPIOS (17)

typedef struct {
    mp_obj_base_t base;
    uint16_t gpio;
} pin_obj_t;

static const mp_obj_type_t pin_type;
static const pin_obj_t pins[GPIOS] = {
    {{&pin_type}, 0}, {{&pin_type}, 1}, {{&pin_type}, 2}, {{&pin_type}, 3}, {{&pin_type}, 4}, {{&pin_type}, 5},
    {{&pin_type}, 6}, {{&pin_type}, 7}, {{&pin_type}, 8}, {{&pin_type}, 9}, {{&pin_type}, 10}, {{&pin_type}, 11},
    {{&pin_type}, 12}, {{&pin_type}, 13}, {{&pin_type}, 14}, {{&pin_type}, 15}, {{&pin_type}, 16},
};
MP_REGISTER_ROOT_POINTER(mp_obj_t chip_handler);
static const pin_obj_t *handled;

// The registers that the chip has from 0x60000300 on, in memory. All lines are high, but the data line of the bus: a
// target that acknowledges all, and sends zeros.
#define SDA (2)
#define INPUTS (4)
static volatile uint32_t gpio[8] = {[INPUTS] = ~(1u << SDA)};

// The ROM's function: four writes.
void __attribute__((noinline)) gpio_output_set(uint32_t set, uint32_t clear, uint32_t enable, uint32_t disable) {
    gpio[0] = set;
    gpio[1] = clear;
    gpio[2] = enable;
    gpio[3] = disable;
}

// As ports/esp8266/machine_pin.c.
int pin_get(uint32_t pin) {
    if (pin == 16) {
        return gpio[5] & 1;
    }
    return (gpio[INPUTS] >> pin) & 1;
}

uint32_t chip_pin(void *object) {
    if (!mp_obj_is_type(MP_OBJ_FROM_PTR(object), &pin_type)) {
        mp_raise_ValueError(MP_ERROR_TEXT("invalid pin"));
    }
    return ((pin_obj_t *)object)->gpio;
}

static mp_obj_t pin_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    (void)type;
    (void)n_kw;
    mp_arg_check_num(n_args, n_kw, 1, MP_OBJ_FUN_ARGS_MAX, true);
    mp_int_t number = mp_obj_get_int(args[0]);
    if (number < 0 || number >= GPIOS) {
        mp_raise_ValueError(MP_ERROR_TEXT("invalid pin"));
    }
    return MP_OBJ_FROM_PTR(&pins[number]);
}

static mp_obj_t pin_call(mp_obj_t self, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 0, 1, false);
    uint32_t pin = ((pin_obj_t *)MP_OBJ_TO_PTR(self))->gpio;
    if (n_args == 0) {
        return MP_OBJ_NEW_SMALL_INT(pin_get(pin));
    }
    int level = mp_obj_is_true(args[0]);
    gpio_output_set(level << pin, (1 - level) << pin, 1 << pin, 0);
    mp_obj_t argument = mp_obj_new_bool(level);
    border_call(MP_QSTR_pulse, 1, &argument, NULL, 0);
    return mp_const_none;
}

static void see_edge(void) {
    if (border_edge && MP_STATE_VM(chip_handler) != MP_OBJ_NULL) {
        border_edge = false;
        mp_sched_schedule(MP_STATE_VM(chip_handler), MP_OBJ_FROM_PTR(handled));
    }
}

static mp_obj_t pin_irq(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    handled = MP_OBJ_TO_PTR(args[0]);
    MP_STATE_VM(chip_handler) = args[1];
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(pin_irq_obj, 2, 3, pin_irq);

static const mp_rom_map_elem_t pin_locals_table[] = {
    {MP_ROM_QSTR(MP_QSTR_irq), MP_ROM_PTR(&pin_irq_obj)},
    {MP_ROM_QSTR(MP_QSTR_IN), MP_ROM_INT(0)},
    {MP_ROM_QSTR(MP_QSTR_OUT), MP_ROM_INT(1)},
    {MP_ROM_QSTR(MP_QSTR_PULL_UP), MP_ROM_INT(1)},
    {MP_ROM_QSTR(MP_QSTR_IRQ_FALLING), MP_ROM_INT(2)},
};
static MP_DEFINE_CONST_DICT(pin_locals, pin_locals_table);
static MP_DEFINE_CONST_OBJ_TYPE(
    pin_type, MP_QSTR_Pin, MP_TYPE_FLAG_NONE, make_new, pin_make_new, call, pin_call, locals_dict, &pin_locals);

// SoftI2C: MicroPython's methods over this transfer. The memory's address, 16 bits, comes in a transaction of its own
// before a read, and in front of what is written.

static uint16_t memory_at;

static int exchange(bool reading, void *buf, size_t length) {
    mp_obj_t arguments[2] = {mp_obj_new_bool(reading), MP_OBJ_NEW_SMALL_INT(memory_at)};
    bool answers = mp_obj_is_true(border_call(MP_QSTR_exchange, 2, arguments, buf, length));
    see_edge();
    return answers ? (int)length : -MP_ENODEV;
}

static int i2c_transfer(mp_obj_base_t *self, uint16_t address, size_t n, mp_machine_i2c_buf_t *bufs, unsigned flags) {
    (void)self;
    (void)address;
    if (flags & MP_MACHINE_I2C_FLAG_READ) {
        return exchange(true, bufs[n - 1].buf, bufs[n - 1].len);
    }
    memory_at = bufs[0].buf[0] << 8 | bufs[0].buf[1];
    return n == 1 ? 2 : exchange(false, bufs[1].buf, bufs[1].len);
}

static mp_obj_t i2c_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    (void)n_args;
    (void)n_kw;
    (void)args;
    mp_machine_soft_i2c_obj_t *self = mp_obj_malloc(mp_machine_soft_i2c_obj_t, type);
    return MP_OBJ_FROM_PTR(self);
}

static const mp_machine_i2c_p_t i2c_protocol = {.transfer = i2c_transfer};
static MP_DEFINE_CONST_OBJ_TYPE(
    i2c_type, MP_QSTR_SoftI2C, MP_TYPE_FLAG_NONE,
    make_new, i2c_make_new, protocol, &i2c_protocol, locals_dict, &mp_machine_i2c_locals_dict);

// WDT, reset

static const mp_obj_type_t wdt_type;
static const mp_obj_base_t the_wdt = {&wdt_type};

static mp_obj_t wdt_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    (void)type;
    (void)args;
    mp_arg_check_num(n_args, n_kw, 0, 0, false);
    return MP_OBJ_FROM_PTR(&the_wdt);
}

static mp_obj_t wdt_feed(mp_obj_t self) {
    (void)self;
    border_call(MP_QSTR_feed, 0, NULL, NULL, 0);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(wdt_feed_obj, wdt_feed);

static const mp_rom_map_elem_t wdt_locals_table[] = {
    {MP_ROM_QSTR(MP_QSTR_feed), MP_ROM_PTR(&wdt_feed_obj)},
};
static MP_DEFINE_CONST_DICT(wdt_locals, wdt_locals_table);
static MP_DEFINE_CONST_OBJ_TYPE(
    wdt_type, MP_QSTR_WDT, MP_TYPE_FLAG_NONE, make_new, wdt_make_new, locals_dict, &wdt_locals);

static mp_obj_t chip_reset(void) {
    static const char text[] = "The bridge has reset the chip.\n";
    host_print(text, sizeof(text) - 1);
    host_exit(4);
}
static MP_DEFINE_CONST_FUN_OBJ_0(chip_reset_obj, chip_reset);

static const mp_rom_map_elem_t machine_globals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_machine)},
    {MP_ROM_QSTR(MP_QSTR_Pin), MP_ROM_PTR(&pin_type)},
    {MP_ROM_QSTR(MP_QSTR_SoftI2C), MP_ROM_PTR(&i2c_type)},
    {MP_ROM_QSTR(MP_QSTR_WDT), MP_ROM_PTR(&wdt_type)},
    {MP_ROM_QSTR(MP_QSTR_reset), MP_ROM_PTR(&chip_reset_obj)},
};
static MP_DEFINE_CONST_DICT(machine_globals, machine_globals_table);
const mp_obj_module_t chip_machine = {{&mp_type_module}, (mp_obj_dict_t *)&machine_globals};
MP_REGISTER_MODULE(MP_QSTR_machine, chip_machine);

// esp: flash of 2 MiB, whose user part is behind the ROMFS. Only its beginning is there.

#define FLASH_BYTES (2 * 1024 * 1024)
#define USER_START (1024 * 1024)
#define USER_BYTES (64 * 1024)
#define SECTOR (4096)
static byte flash[USER_BYTES] __attribute__((section(".world")));

static byte *flash_at(mp_int_t offset, size_t length) {
    if (offset < USER_START || offset + length > USER_START + USER_BYTES) {
        mp_raise_OSError(MP_EIO);
    }
    return flash + offset - USER_START;
}

static mp_obj_t flash_read(mp_obj_t offset, mp_obj_t buf) {
    mp_buffer_info_t info;
    mp_get_buffer_raise(buf, &info, MP_BUFFER_WRITE);
    memcpy(info.buf, flash_at(mp_obj_get_int(offset), info.len), info.len);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(flash_read_obj, flash_read);

static mp_obj_t flash_write(mp_obj_t offset, mp_obj_t buf) {
    mp_buffer_info_t info;
    mp_get_buffer_raise(buf, &info, MP_BUFFER_READ);
    memcpy(flash_at(mp_obj_get_int(offset), info.len), info.buf, info.len);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(flash_write_obj, flash_write);

static mp_obj_t flash_erase(mp_obj_t sector) {
    memset(flash_at(mp_obj_get_int(sector) * SECTOR, SECTOR), 0xff, SECTOR);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(flash_erase_obj, flash_erase);

static mp_obj_t flash_size(void) {
    return MP_OBJ_NEW_SMALL_INT(FLASH_BYTES);
}
static MP_DEFINE_CONST_FUN_OBJ_0(flash_size_obj, flash_size);

static mp_obj_t flash_user_start(void) {
    return MP_OBJ_NEW_SMALL_INT(USER_START);
}
static MP_DEFINE_CONST_FUN_OBJ_0(flash_user_start_obj, flash_user_start);

static mp_obj_t sleep_type(mp_obj_t type) {
    (void)type;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(sleep_type_obj, sleep_type);

static const mp_rom_map_elem_t esp_globals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_esp)},
    {MP_ROM_QSTR(MP_QSTR_flash_read), MP_ROM_PTR(&flash_read_obj)},
    {MP_ROM_QSTR(MP_QSTR_flash_write), MP_ROM_PTR(&flash_write_obj)},
    {MP_ROM_QSTR(MP_QSTR_flash_erase), MP_ROM_PTR(&flash_erase_obj)},
    {MP_ROM_QSTR(MP_QSTR_flash_size), MP_ROM_PTR(&flash_size_obj)},
    {MP_ROM_QSTR(MP_QSTR_flash_user_start), MP_ROM_PTR(&flash_user_start_obj)},
    {MP_ROM_QSTR(MP_QSTR_sleep_type), MP_ROM_PTR(&sleep_type_obj)},
    {MP_ROM_QSTR(MP_QSTR_SLEEP_NONE), MP_ROM_INT(0)},
};
static MP_DEFINE_CONST_DICT(esp_globals, esp_globals_table);
const mp_obj_module_t chip_esp = {{&mp_type_module}, (mp_obj_dict_t *)&esp_globals};
MP_REGISTER_MODULE(MP_QSTR_esp, chip_esp);

// network: a station that has joined the network `net`.

static const mp_obj_type_t wlan_type;
static const mp_obj_base_t the_wlan = {&wlan_type};

static mp_obj_t wlan_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    (void)type;
    (void)args;
    mp_arg_check_num(n_args, n_kw, 0, 1, false);
    return MP_OBJ_FROM_PTR(&the_wlan);
}

static mp_obj_t wlan_active(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    (void)args;
    return mp_const_true;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(wlan_active_obj, 1, 2, wlan_active);

static mp_obj_t wlan_config(mp_obj_t self, mp_obj_t what) {
    (void)self;
    (void)what;
    return mp_obj_new_str("net", 3);
}
static MP_DEFINE_CONST_FUN_OBJ_2(wlan_config_obj, wlan_config);

static const mp_rom_map_elem_t wlan_locals_table[] = {
    {MP_ROM_QSTR(MP_QSTR_active), MP_ROM_PTR(&wlan_active_obj)},
    {MP_ROM_QSTR(MP_QSTR_isconnected), MP_ROM_PTR(&wlan_active_obj)},
    {MP_ROM_QSTR(MP_QSTR_config), MP_ROM_PTR(&wlan_config_obj)},
    // Names that the firmware has, of methods that a station that is connected does not call.
    {MP_ROM_QSTR(MP_QSTR_status), MP_ROM_NONE},
    {MP_ROM_QSTR(MP_QSTR_connect), MP_ROM_NONE},
    {MP_ROM_QSTR(MP_QSTR_disconnect), MP_ROM_NONE},
};
static MP_DEFINE_CONST_DICT(wlan_locals, wlan_locals_table);
static MP_DEFINE_CONST_OBJ_TYPE(
    wlan_type, MP_QSTR_WLAN, MP_TYPE_FLAG_NONE, make_new, wlan_make_new, locals_dict, &wlan_locals);

static const mp_rom_map_elem_t network_globals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_network)},
    {MP_ROM_QSTR(MP_QSTR_WLAN), MP_ROM_PTR(&wlan_type)},
    {MP_ROM_QSTR(MP_QSTR_STA_IF), MP_ROM_INT(0)},
    {MP_ROM_QSTR(MP_QSTR_AP_IF), MP_ROM_INT(1)},
    {MP_ROM_QSTR(MP_QSTR_STAT_IDLE), MP_ROM_INT(0)},
    {MP_ROM_QSTR(MP_QSTR_STAT_CONNECTING), MP_ROM_INT(1)},
};
static MP_DEFINE_CONST_DICT(network_globals, network_globals_table);
const mp_obj_module_t chip_network = {{&mp_type_module}, (mp_obj_dict_t *)&network_globals};
MP_REGISTER_MODULE(MP_QSTR_network, chip_network);

// socket: one whose other end is the environment.

typedef struct {
    mp_obj_base_t base;
    uint32_t as_lwip[13];  // lwip_socket_obj_t of extmod/modlwip.c has 56 bytes
} socket_obj_t;

static mp_obj_t socket_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    (void)args;
    mp_arg_check_num(n_args, n_kw, 0, 4, false);
    return MP_OBJ_FROM_PTR(mp_obj_malloc_with_finaliser(socket_obj_t, type));
}

static mp_uint_t moved(mp_obj_t answer, int *errcode) {
    if (answer == mp_const_none) {
        *errcode = MP_EAGAIN;
        return MP_STREAM_ERROR;
    }
    return mp_obj_get_int(answer);
}

static mp_uint_t socket_read(mp_obj_t self, void *buf, mp_uint_t size, int *errcode) {
    (void)self;
    return moved(border_call(MP_QSTR_received, 0, NULL, buf, size), errcode);
}

static mp_uint_t socket_write(mp_obj_t self, const void *buf, mp_uint_t size, int *errcode) {
    (void)self;
    return moved(border_call(MP_QSTR_sent, 0, NULL, (void *)buf, size), errcode);
}

static mp_uint_t socket_ioctl(mp_obj_t self, mp_uint_t request, uintptr_t arg, int *errcode) {
    (void)self;
    if (request == MP_STREAM_POLL) {
        mp_obj_t argument = MP_OBJ_NEW_SMALL_INT(arg);
        return mp_obj_get_int(border_call(MP_QSTR_polled, 1, &argument, NULL, 0));
    }
    if (request == MP_STREAM_CLOSE) {
        return 0;
    }
    *errcode = MP_EINVAL;
    return MP_STREAM_ERROR;
}

static mp_obj_t socket_send(mp_obj_t self, mp_obj_t data) {
    mp_buffer_info_t info;
    mp_get_buffer_raise(data, &info, MP_BUFFER_READ);
    int errcode;
    mp_uint_t count = info.len ? socket_write(self, info.buf, info.len, &errcode) : 0;
    if (count == MP_STREAM_ERROR) {
        mp_raise_OSError(errcode);
    }
    return mp_obj_new_int_from_uint(count);
}
static MP_DEFINE_CONST_FUN_OBJ_2(socket_send_obj, socket_send);

static mp_obj_t socket_nothing(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    (void)args;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(socket_nothing_obj, 1, 4, socket_nothing);

static const mp_rom_map_elem_t socket_locals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___del__), MP_ROM_PTR(&mp_stream_close_obj)},
    {MP_ROM_QSTR(MP_QSTR_close), MP_ROM_PTR(&mp_stream_close_obj)},
    {MP_ROM_QSTR(MP_QSTR_connect), MP_ROM_PTR(&socket_nothing_obj)},
    {MP_ROM_QSTR(MP_QSTR_send), MP_ROM_PTR(&socket_send_obj)},
    {MP_ROM_QSTR(MP_QSTR_setblocking), MP_ROM_PTR(&socket_nothing_obj)},
    {MP_ROM_QSTR(MP_QSTR_setsockopt), MP_ROM_PTR(&socket_nothing_obj)},
    {MP_ROM_QSTR(MP_QSTR_readinto), MP_ROM_PTR(&mp_stream_readinto_obj)},
    {MP_ROM_QSTR(MP_QSTR_write), MP_ROM_PTR(&mp_stream_write_obj)},
};
static MP_DEFINE_CONST_DICT(socket_locals, socket_locals_table);
static const mp_stream_p_t socket_stream = {.read = socket_read, .write = socket_write, .ioctl = socket_ioctl};
static MP_DEFINE_CONST_OBJ_TYPE(
    socket_type, MP_QSTR_socket, MP_TYPE_FLAG_NONE,
    make_new, socket_make_new, protocol, &socket_stream, locals_dict, &socket_locals);

static const mp_rom_map_elem_t socket_globals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_socket)},
    {MP_ROM_QSTR(MP_QSTR_socket), MP_ROM_PTR(&socket_type)},
    {MP_ROM_QSTR(MP_QSTR_AF_INET), MP_ROM_INT(2)},
    {MP_ROM_QSTR(MP_QSTR_SOCK_STREAM), MP_ROM_INT(1)},
    {MP_ROM_QSTR(MP_QSTR_IPPROTO_TCP), MP_ROM_INT(6)},
    {MP_ROM_QSTR(MP_QSTR_TCP_NODELAY), MP_ROM_INT(0x40)},
};
static MP_DEFINE_CONST_DICT(socket_globals, socket_globals_table);
const mp_obj_module_t chip_socket = {{&mp_type_module}, (mp_obj_dict_t *)&socket_globals};
MP_REGISTER_MODULE(MP_QSTR_socket, chip_socket);
