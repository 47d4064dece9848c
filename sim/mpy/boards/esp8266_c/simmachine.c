// `machine` of the ESP8266: pins, software I2C, watchdog, resets. What it does not have: ADC, PWM, RTC, SPI, Timer,
// UART, sleep modes.

#include "simchip.h"
#include "py/mperrno.h"

// Pin

#define GPIOS (17)
#define NO_PULL_NO_IRQ (16)
#define LEVEL_UNCHANGED (2)

typedef struct {
    mp_obj_base_t base;
    uint8_t gpio;
} pin_obj_t;

static const mp_obj_type_t pin_type;
static const mp_obj_type_t pin_irq_type;

#define PIN(gpio) {{&pin_type}, gpio}
#define NO_PIN {{NULL}, 0}
static const pin_obj_t pins[GPIOS] = {
    PIN(0), PIN(1), PIN(2), PIN(3), PIN(4), PIN(5), NO_PIN, NO_PIN, NO_PIN, PIN(9), PIN(10), NO_PIN,
    PIN(12), PIN(13), PIN(14), PIN(15), PIN(16),
};
#define IRQ(gpio) {{&pin_irq_type}, gpio}
static const pin_obj_t irqs[GPIOS] = {
    IRQ(0), IRQ(1), IRQ(2), IRQ(3), IRQ(4), IRQ(5), NO_PIN, NO_PIN, NO_PIN, IRQ(9), IRQ(10), NO_PIN,
    IRQ(12), IRQ(13), IRQ(14), IRQ(15), IRQ(16),
};

MP_REGISTER_ROOT_POINTER(mp_obj_t simchip_handlers[17]);
static uint8_t triggers[GPIOS];
static bool masked;  // machine.disable_irq()
static uint32_t latched;  // edges that came meanwhile, a bit a pin

static const pin_obj_t *find_pin(mp_obj_t id) {
    if (mp_obj_is_type(id, &pin_type)) {
        return MP_OBJ_TO_PTR(id);
    }
    if (mp_obj_is_small_int(id)) {
        mp_int_t gpio = MP_OBJ_SMALL_INT_VALUE(id);
        if (gpio >= 0 && gpio < GPIOS && pins[gpio].base.type != NULL) {
            return &pins[gpio];
        }
    }
    mp_raise_ValueError(MP_ERROR_TEXT("invalid pin"));
}

static void pin_print(const mp_print_t *print, mp_obj_t self, mp_print_kind_t kind) {
    mp_printf(print, "Pin(%u)", ((pin_obj_t *)MP_OBJ_TO_PTR(self))->gpio);
}

static mp_obj_t pin_init(size_t n_args, const mp_obj_t *args, mp_map_t *kw_args) {
    enum { MODE, PULL, VALUE };
    static const mp_arg_t allowed[] = {
        { MP_QSTR_mode, MP_ARG_REQUIRED | MP_ARG_INT, {.u_int = 0} },
        { MP_QSTR_pull, MP_ARG_OBJ, {.u_rom_obj = MP_ROM_NONE} },
        { MP_QSTR_value, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_rom_obj = MP_ROM_NONE} },
    };
    mp_arg_val_t parsed[MP_ARRAY_SIZE(allowed)];
    mp_arg_parse_all(n_args - 1, args + 1, kw_args, MP_ARRAY_SIZE(allowed), allowed, parsed);
    const pin_obj_t *self = MP_OBJ_TO_PTR(args[0]);
    int pull = 0;
    if (parsed[PULL].u_obj != mp_const_none) {
        if (self->gpio == NO_PULL_NO_IRQ) {
            mp_raise_ValueError(MP_ERROR_TEXT("Pin(16) doesn't support pull"));
        }
        pull = mp_obj_get_int(parsed[PULL].u_obj);
    }
    int level = parsed[VALUE].u_obj == mp_const_none ? LEVEL_UNCHANGED : mp_obj_is_true(parsed[VALUE].u_obj);
    simchip_call(PIN_MODE, self->gpio, parsed[MODE].u_int, pull, level);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_KW(pin_init_obj, 1, pin_init);

static mp_obj_t pin_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 1, MP_OBJ_FUN_ARGS_MAX, true);
    mp_obj_t self = MP_OBJ_FROM_PTR(find_pin(args[0]));
    if (n_args > 1 || n_kw > 0) {
        mp_obj_t init_args[MP_OBJ_FUN_ARGS_MAX];
        init_args[0] = self;
        for (size_t i = 1; i < n_args; ++i) {
            init_args[i] = args[i];
        }
        mp_map_t kw_args;
        mp_map_init_fixed_table(&kw_args, n_kw, args + n_args);
        pin_init(n_args, init_args, &kw_args);
    }
    return self;
}

static mp_obj_t pin_call(mp_obj_t self_in, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 0, 1, false);
    const pin_obj_t *self = MP_OBJ_TO_PTR(self_in);
    if (n_args == 0) {
        return MP_OBJ_NEW_SMALL_INT(simchip_call(PIN_READ, self->gpio, 0, 0, 0));
    }
    simchip_call(PIN_WRITE, self->gpio, mp_obj_is_true(args[0]), 0, 0);
    return mp_const_none;
}

static mp_obj_t pin_value(size_t n_args, const mp_obj_t *args) {
    return pin_call(args[0], n_args - 1, 0, args + 1);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(pin_value_obj, 1, 2, pin_value);

static mp_obj_t pin_on(mp_obj_t self) {
    return pin_call(self, 1, 0, (mp_obj_t[]) {mp_const_true});
}
static MP_DEFINE_CONST_FUN_OBJ_1(pin_on_obj, pin_on);

static mp_obj_t pin_off(mp_obj_t self) {
    return pin_call(self, 1, 0, (mp_obj_t[]) {mp_const_false});
}
static MP_DEFINE_CONST_FUN_OBJ_1(pin_off_obj, pin_off);

static void set_trigger(unsigned gpio, unsigned trigger) {
    triggers[gpio] = trigger;
    latched &= ~(1u << gpio);
    simchip_call(PIN_IRQ, gpio, trigger, 0, 0);
}

static mp_obj_t pin_irq(size_t n_args, const mp_obj_t *args, mp_map_t *kw_args) {
    enum { HANDLER, TRIGGER, HARD };
    static const mp_arg_t allowed[] = {
        { MP_QSTR_handler, MP_ARG_OBJ, {.u_rom_obj = MP_ROM_NONE} },
        { MP_QSTR_trigger, MP_ARG_INT, {.u_int = 3} },
        { MP_QSTR_hard, MP_ARG_BOOL, {.u_bool = false} },
    };
    mp_arg_val_t parsed[MP_ARRAY_SIZE(allowed)];
    mp_arg_parse_all(n_args - 1, args + 1, kw_args, MP_ARRAY_SIZE(allowed), allowed, parsed);
    unsigned gpio = ((pin_obj_t *)MP_OBJ_TO_PTR(args[0]))->gpio;
    if (gpio == NO_PULL_NO_IRQ) {
        mp_raise_msg(&mp_type_OSError, MP_ERROR_TEXT("pin does not have IRQ capabilities"));
    }
    if (parsed[HARD].u_bool) {
        mp_raise_ValueError(MP_ERROR_TEXT("hard IRQ not supported"));
    }
    if (n_args > 1 || kw_args->used) {
        bool handled = parsed[HANDLER].u_obj != mp_const_none;
        MP_STATE_VM(simchip_handlers)[gpio] = handled ? parsed[HANDLER].u_obj : MP_OBJ_NULL;
        set_trigger(gpio, handled ? parsed[TRIGGER].u_int : 0);
    }
    return MP_OBJ_FROM_PTR(&irqs[gpio]);
}
static MP_DEFINE_CONST_FUN_OBJ_KW(pin_irq_obj, 1, pin_irq);

void simchip_edge(unsigned gpio) {
    if (gpio >= GPIOS || MP_STATE_VM(simchip_handlers)[gpio] == MP_OBJ_NULL) {
        return;
    }
    if (masked) {
        latched |= 1u << gpio;
        return;
    }
    // Lost if the queue is full, as on the chip.
    mp_sched_schedule(MP_STATE_VM(simchip_handlers)[gpio], MP_OBJ_FROM_PTR(&pins[gpio]));
    simchip_kick();
}

static const mp_rom_map_elem_t pin_locals_table[] = {
    { MP_ROM_QSTR(MP_QSTR_init), MP_ROM_PTR(&pin_init_obj) },
    { MP_ROM_QSTR(MP_QSTR_value), MP_ROM_PTR(&pin_value_obj) },
    { MP_ROM_QSTR(MP_QSTR_on), MP_ROM_PTR(&pin_on_obj) },
    { MP_ROM_QSTR(MP_QSTR_off), MP_ROM_PTR(&pin_off_obj) },
    { MP_ROM_QSTR(MP_QSTR_irq), MP_ROM_PTR(&pin_irq_obj) },
    { MP_ROM_QSTR(MP_QSTR_IN), MP_ROM_INT(0) },
    { MP_ROM_QSTR(MP_QSTR_OUT), MP_ROM_INT(1) },
    { MP_ROM_QSTR(MP_QSTR_OPEN_DRAIN), MP_ROM_INT(2) },
    { MP_ROM_QSTR(MP_QSTR_PULL_UP), MP_ROM_INT(1) },
    { MP_ROM_QSTR(MP_QSTR_IRQ_RISING), MP_ROM_INT(1) },
    { MP_ROM_QSTR(MP_QSTR_IRQ_FALLING), MP_ROM_INT(2) },
};
static MP_DEFINE_CONST_DICT(pin_locals, pin_locals_table);

static MP_DEFINE_CONST_OBJ_TYPE(
    pin_type, MP_QSTR_Pin, MP_TYPE_FLAG_NONE,
    make_new, pin_make_new, print, pin_print, call, pin_call, locals_dict, &pin_locals);

// What Pin.irq() returns.

static mp_obj_t irq_call(mp_obj_t self, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 0, 0, false);
    simchip_edge(((pin_obj_t *)MP_OBJ_TO_PTR(self))->gpio);
    return mp_const_none;
}

static mp_obj_t irq_trigger(size_t n_args, const mp_obj_t *args) {
    unsigned gpio = ((pin_obj_t *)MP_OBJ_TO_PTR(args[0]))->gpio;
    unsigned before = triggers[gpio];
    if (n_args == 2) {
        set_trigger(gpio, mp_obj_get_int(args[1]));
    }
    return MP_OBJ_NEW_SMALL_INT(before);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(irq_trigger_obj, 1, 2, irq_trigger);

static const mp_rom_map_elem_t irq_locals_table[] = {
    { MP_ROM_QSTR(MP_QSTR_trigger), MP_ROM_PTR(&irq_trigger_obj) },
};
static MP_DEFINE_CONST_DICT(irq_locals, irq_locals_table);

static MP_DEFINE_CONST_OBJ_TYPE(
    pin_irq_type, MP_QSTR_IRQ, MP_TYPE_FLAG_NONE, call, irq_call, locals_dict, &irq_locals);

// SoftI2C: MicroPython's methods over this protocol.

enum { START = 0, STOP = 1, WRITE = 2, READ = 3 };

typedef struct {
    mp_obj_base_t base;
    uint8_t bus;
} i2c_obj_t;

static void i2c_init(mp_obj_base_t *self, size_t n_args, const mp_obj_t *args, mp_map_t *kw_args) {
    enum { SCL, SDA, FREQ, TIMEOUT };
    static const mp_arg_t allowed[] = {
        { MP_QSTR_scl, MP_ARG_REQUIRED | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL} },
        { MP_QSTR_sda, MP_ARG_REQUIRED | MP_ARG_OBJ, {.u_obj = MP_OBJ_NULL} },
        { MP_QSTR_freq, MP_ARG_KW_ONLY | MP_ARG_INT, {.u_int = 400000} },
        { MP_QSTR_timeout, MP_ARG_KW_ONLY | MP_ARG_INT, {.u_int = 50000} },
    };
    mp_arg_val_t parsed[MP_ARRAY_SIZE(allowed)];
    mp_arg_parse_all(n_args, args, kw_args, MP_ARRAY_SIZE(allowed), allowed, parsed);
    uint32_t clock[2] = {parsed[FREQ].u_int, parsed[TIMEOUT].u_int};
    uint8_t bytes[8];
    for (int i = 0; i < 8; ++i) {
        bytes[i] = clock[i / 4] >> i % 4 * 8;
    }
    const mp_machine_i2c_buf_t out = {sizeof(bytes), bytes};
    const request_t request = {
        .kind = I2C_OPEN, .a = find_pin(parsed[SCL].u_obj)->gpio, .b = find_pin(parsed[SDA].u_obj)->gpio,
        .n_out = 1, .out = &out,
    };
    int bus = simchip_ask(&request);
    if (bus < 0) {
        mp_raise_OSError(-bus);
    }
    ((i2c_obj_t *)self)->bus = bus;
}

static mp_obj_t i2c_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    i2c_obj_t *self = mp_obj_malloc(i2c_obj_t, type);
    mp_map_t kw_args;
    mp_map_init_fixed_table(&kw_args, n_kw, args + n_args);
    i2c_init(&self->base, n_args, args, &kw_args);
    return MP_OBJ_FROM_PTR(self);
}

// The flags READ, STOP and WRITE1 are those of the frame.
static int i2c_transfer(mp_obj_base_t *self, uint16_t address, size_t n, mp_machine_i2c_buf_t *bufs, unsigned flags) {
    request_t request = {.kind = I2C_TRANSFER, .a = ((i2c_obj_t *)self)->bus, .b = address, .c = flags, .out = bufs};
    request.n_out = n;
    if (flags & MP_MACHINE_I2C_FLAG_READ) {
        request.n_out = n - 1;
        request.into = bufs[n - 1];
        request.d = request.into.len;
    }
    return simchip_ask(&request);
}

static int i2c_primitive(mp_obj_base_t *self, unsigned what) {
    const request_t request = {.kind = I2C_PRIMITIVE, .a = ((i2c_obj_t *)self)->bus, .b = what};
    int value = simchip_ask(&request);
    return MIN(value, 0);
}

static int i2c_start(mp_obj_base_t *self) {
    return i2c_primitive(self, START);
}

static int i2c_stop(mp_obj_base_t *self) {
    return i2c_primitive(self, STOP);
}

static int i2c_write(mp_obj_base_t *self, const uint8_t *src, size_t len) {
    const mp_machine_i2c_buf_t out = {len, (uint8_t *)src};
    const request_t request = {
        .kind = I2C_PRIMITIVE, .a = ((i2c_obj_t *)self)->bus, .b = WRITE, .n_out = 1, .out = &out,
    };
    return simchip_ask(&request);
}

static int i2c_read(mp_obj_base_t *self, uint8_t *dest, size_t len, bool nack) {
    const request_t request = {
        .kind = I2C_PRIMITIVE, .a = ((i2c_obj_t *)self)->bus, .b = READ, .c = nack, .d = len, .into = {len, dest},
    };
    int value = simchip_ask(&request);
    return MIN(value, 0);
}

static const mp_machine_i2c_p_t i2c_protocol = {
    .transfer_supports_write1 = true,
    .init = i2c_init,
    .start = i2c_start,
    .stop = i2c_stop,
    .read = i2c_read,
    .write = i2c_write,
    .transfer = i2c_transfer,
};

static MP_DEFINE_CONST_OBJ_TYPE(
    i2c_type, MP_QSTR_SoftI2C, MP_TYPE_FLAG_NONE,
    make_new, i2c_make_new, protocol, &i2c_protocol, locals_dict, &mp_machine_i2c_locals_dict);

// WDT: bites after the time that the chip's system fixes; it is not the program's to choose.

static const mp_obj_type_t wdt_type;
static const mp_obj_base_t the_wdt = {&wdt_type};

static mp_obj_t wdt_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    static const mp_arg_t allowed[] = {
        { MP_QSTR_id, MP_ARG_INT, {.u_int = 0} },
        { MP_QSTR_timeout, MP_ARG_INT, {.u_int = 5000} },
    };
    mp_arg_val_t parsed[MP_ARRAY_SIZE(allowed)];
    mp_arg_parse_all_kw_array(n_args, n_kw, args, MP_ARRAY_SIZE(allowed), allowed, parsed);
    if (parsed[0].u_int != 0 || parsed[1].u_int != 5000) {
        mp_raise_ValueError(NULL);
    }
    simchip_call(WATCHDOG, 0, 1, 0, 0);
    return MP_OBJ_FROM_PTR(&the_wdt);
}

static mp_obj_t wdt_feed(mp_obj_t self) {
    simchip_call(WATCHDOG, 0, 0, 0, 0);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(wdt_feed_obj, wdt_feed);

static const mp_rom_map_elem_t wdt_locals_table[] = {
    { MP_ROM_QSTR(MP_QSTR_feed), MP_ROM_PTR(&wdt_feed_obj) },
};
static MP_DEFINE_CONST_DICT(wdt_locals, wdt_locals_table);

static MP_DEFINE_CONST_OBJ_TYPE(
    wdt_type, MP_QSTR_WDT, MP_TYPE_FLAG_NONE, make_new, wdt_make_new, locals_dict, &wdt_locals);

// The module

static mp_obj_t reset(void) {
    return MP_OBJ_NEW_SMALL_INT(simchip_call(RESET, 0, 0, 0, 0));  // the wire process ends this one: no reply
}
static MP_DEFINE_CONST_FUN_OBJ_0(reset_obj, reset);

static mp_obj_t reset_cause(void) {
    return MP_OBJ_NEW_SMALL_INT(simchip_call(RESET_CAUSE, 0, 0, 0, 0));
}
static MP_DEFINE_CONST_FUN_OBJ_0(reset_cause_obj, reset_cause);

static mp_obj_t unique_id(void) {
    return mp_obj_new_bytes((const byte *)"\x66\x82\x5e\x00", 4);
}
static MP_DEFINE_CONST_FUN_OBJ_0(unique_id_obj, unique_id);

static mp_obj_t freq(size_t n_args, const mp_obj_t *args) {
    static mp_int_t hz = 80000000;
    if (n_args) {
        mp_int_t wanted = mp_obj_get_int(args[0]);
        if (wanted != 80000000 && wanted != 160000000) {
            mp_raise_ValueError(MP_ERROR_TEXT("frequency can only be either 80Mhz or 160MHz"));
        }
        hz = wanted;
        return mp_const_none;
    }
    return mp_obj_new_int(hz);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(freq_obj, 0, 1, freq);

static mp_obj_t idle(void) {
    mp_event_handle_nowait();
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(idle_obj, idle);

static mp_obj_t disable_irq(void) {
    bool before = masked;
    masked = true;
    return MP_OBJ_NEW_SMALL_INT(before);
}
static MP_DEFINE_CONST_FUN_OBJ_0(disable_irq_obj, disable_irq);

static mp_obj_t enable_irq(mp_obj_t state) {
    masked = mp_obj_get_int(state);
    for (unsigned gpio = 0; gpio < GPIOS && !masked && latched; ++gpio) {
        if (latched >> gpio & 1) {
            latched &= ~(1u << gpio);
            simchip_edge(gpio);
        }
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(enable_irq_obj, enable_irq);

static const mp_rom_map_elem_t machine_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_machine) },
    { MP_ROM_QSTR(MP_QSTR_Pin), MP_ROM_PTR(&pin_type) },
    { MP_ROM_QSTR(MP_QSTR_SoftI2C), MP_ROM_PTR(&i2c_type) },
    { MP_ROM_QSTR(MP_QSTR_WDT), MP_ROM_PTR(&wdt_type) },
    { MP_ROM_QSTR(MP_QSTR_reset), MP_ROM_PTR(&reset_obj) },
    { MP_ROM_QSTR(MP_QSTR_reset_cause), MP_ROM_PTR(&reset_cause_obj) },
    { MP_ROM_QSTR(MP_QSTR_unique_id), MP_ROM_PTR(&unique_id_obj) },
    { MP_ROM_QSTR(MP_QSTR_freq), MP_ROM_PTR(&freq_obj) },
    { MP_ROM_QSTR(MP_QSTR_idle), MP_ROM_PTR(&idle_obj) },
    { MP_ROM_QSTR(MP_QSTR_disable_irq), MP_ROM_PTR(&disable_irq_obj) },
    { MP_ROM_QSTR(MP_QSTR_enable_irq), MP_ROM_PTR(&enable_irq_obj) },
    { MP_ROM_QSTR(MP_QSTR_PWRON_RESET), MP_ROM_INT(0) },
    { MP_ROM_QSTR(MP_QSTR_WDT_RESET), MP_ROM_INT(1) },
    { MP_ROM_QSTR(MP_QSTR_SOFT_RESET), MP_ROM_INT(4) },
    { MP_ROM_QSTR(MP_QSTR_HARD_RESET), MP_ROM_INT(6) },
};
static MP_DEFINE_CONST_DICT(machine_globals, machine_globals_table);

const mp_obj_module_t simchip_machine = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&machine_globals,
};
MP_REGISTER_EXTENSIBLE_MODULE(MP_QSTR_machine, simchip_machine);
