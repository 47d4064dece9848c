// `network` and `esp` of the ESP8266. Its sockets: simlwip.c.

#include "simchip.h"

// network.WLAN

enum { ACTIVE = 0, CONNECT = 1, DISCONNECT = 2, STATUS = 3, SSID = 4 };
#define STATION_CONFIG (98)  // ssid, password, NUL: sim/mpy/esp8266.py; and one more
enum { STATION = 0, ACCESS_POINT = 1 };
enum { GOT_IP = 5 };

typedef struct {
    mp_obj_base_t base;
    uint8_t interface;
} wlan_obj_t;

static const mp_obj_type_t wlan_type;
static const wlan_obj_t wlans[] = {{{&wlan_type}, STATION}, {{&wlan_type}, ACCESS_POINT}};

static unsigned interface_of(mp_obj_t self) {
    return ((wlan_obj_t *)MP_OBJ_TO_PTR(self))->interface;
}

static void need_station(mp_obj_t self) {
    if (interface_of(self) != STATION) {
        mp_raise_msg(&mp_type_OSError, MP_ERROR_TEXT("STA required"));
    }
}

static mp_obj_t wlan_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 0, 1, false);
    mp_int_t interface = n_args ? mp_obj_get_int(args[0]) : STATION;
    if (interface != STATION && interface != ACCESS_POINT) {
        mp_raise_ValueError(NULL);
    }
    return MP_OBJ_FROM_PTR(&wlans[interface]);
}

static mp_obj_t wlan_active(size_t n_args, const mp_obj_t *args) {
    unsigned wanted = n_args == 1 ? 0 : mp_obj_is_true(args[1]) ? 2 : 1;
    int active = simchip_call(WLAN, interface_of(args[0]), ACTIVE, wanted, 0);
    return n_args == 1 ? mp_obj_new_bool(active) : mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(wlan_active_obj, 1, 2, wlan_active);

static mp_machine_i2c_buf_t text_of(mp_obj_t object) {
    mp_machine_i2c_buf_t text = {0, NULL};
    if (object != mp_const_none) {
        text.buf = (uint8_t *)mp_obj_str_get_data(object, &text.len);
    }
    return text;
}

static mp_obj_t wlan_connect(size_t n_args, const mp_obj_t *args, mp_map_t *kw_args) {
    enum { SSID, KEY, BSSID };
    static const mp_arg_t allowed[] = {
        { MP_QSTR_ssid, MP_ARG_OBJ, {.u_rom_obj = MP_ROM_NONE} },
        { MP_QSTR_key, MP_ARG_OBJ, {.u_rom_obj = MP_ROM_NONE} },
        { MP_QSTR_bssid, MP_ARG_KW_ONLY | MP_ARG_OBJ, {.u_rom_obj = MP_ROM_NONE} },
    };
    mp_arg_val_t parsed[MP_ARRAY_SIZE(allowed)];
    mp_arg_parse_all(n_args - 1, args + 1, kw_args, MP_ARRAY_SIZE(allowed), allowed, parsed);
    need_station(args[0]);
    bool given = parsed[SSID].u_obj != mp_const_none;
    const mp_machine_i2c_buf_t credentials[] = {
        text_of(parsed[SSID].u_obj), {1, (uint8_t *)"\0"}, text_of(parsed[KEY].u_obj),
    };
    const request_t request = {
        .kind = WLAN, .b = CONNECT, .c = given, .n_out = given ? MP_ARRAY_SIZE(credentials) : 0, .out = credentials,
    };
    int value = simchip_ask(&request);
    if (value < 0) {
        mp_raise_OSError(-value);
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_KW(wlan_connect_obj, 1, wlan_connect);

static mp_obj_t wlan_disconnect(mp_obj_t self) {
    need_station(self);
    simchip_call(WLAN, STATION, DISCONNECT, 0, 0);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(wlan_disconnect_obj, wlan_disconnect);

static bool is_connected(mp_obj_t self) {
    return interface_of(self) == STATION && simchip_call(WLAN, STATION, STATUS, 0, 0) == GOT_IP;
}

static mp_obj_t wlan_isconnected(mp_obj_t self) {
    return mp_obj_new_bool(is_connected(self));
}
static MP_DEFINE_CONST_FUN_OBJ_1(wlan_isconnected_obj, wlan_isconnected);

static mp_obj_t wlan_status(size_t n_args, const mp_obj_t *args) {
    bool station = interface_of(args[0]) == STATION;
    if (n_args == 1) {
        return MP_OBJ_NEW_SMALL_INT(station ? simchip_call(WLAN, STATION, STATUS, 0, 0) : -1);
    }
    if (!station || mp_obj_str_get_qstr(args[1]) != MP_QSTR_rssi) {
        mp_raise_ValueError(MP_ERROR_TEXT("unknown status param"));
    }
    return MP_OBJ_NEW_SMALL_INT(-60);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(wlan_status_obj, 1, 2, wlan_status);

static mp_obj_t wlan_ifconfig(size_t n_args, const mp_obj_t *args) {
    if (n_args > 1) {
        return mp_const_none;  // the wire process hands out the address
    }
    static const char *const up[] = {"192.168.4.2", "255.255.255.0", "192.168.4.1", "192.168.4.1"};
    bool connected = is_connected(args[0]);
    mp_obj_t items[4];
    for (size_t i = 0; i < 4; ++i) {
        items[i] = mp_obj_new_str_from_cstr(connected ? up[i] : "0.0.0.0");
    }
    return mp_obj_new_tuple(4, items);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(wlan_ifconfig_obj, 1, 2, wlan_ifconfig);

// As on the chip: to the first NUL, which an ssid of 32 bytes has only behind the password. Raises: UnicodeError.
static mp_obj_t stored_ssid(void) {
    char config[STATION_CONFIG] = "";
    const request_t request = {.kind = WLAN, .b = SSID, .into = {sizeof(config) - 1, (uint8_t *)config}};
    int value = simchip_ask(&request);
    if (value < 0) {
        mp_raise_OSError(-value);
    }
    return mp_obj_new_str_from_cstr(config);
}

static mp_obj_t wlan_config(size_t n_args, const mp_obj_t *args, mp_map_t *kw_args) {
    if (n_args == 1) {
        return mp_const_none;  // what is set has no effect
    }
    switch (mp_obj_str_get_qstr(args[1])) {
        case MP_QSTR_mac:
            return mp_obj_new_bytes((const byte *)"\x5c\xcf\x7f\x66\x82\x5e", 6);
        case MP_QSTR_ssid:
        case MP_QSTR_essid:
            if (interface_of(args[0]) == STATION) {
                return stored_ssid();
            }
    }
    mp_raise_ValueError(MP_ERROR_TEXT("unknown config param"));
}
static MP_DEFINE_CONST_FUN_OBJ_KW(wlan_config_obj, 1, wlan_config);

static const mp_rom_map_elem_t wlan_locals_table[] = {
    { MP_ROM_QSTR(MP_QSTR_active), MP_ROM_PTR(&wlan_active_obj) },
    { MP_ROM_QSTR(MP_QSTR_connect), MP_ROM_PTR(&wlan_connect_obj) },
    { MP_ROM_QSTR(MP_QSTR_disconnect), MP_ROM_PTR(&wlan_disconnect_obj) },
    { MP_ROM_QSTR(MP_QSTR_isconnected), MP_ROM_PTR(&wlan_isconnected_obj) },
    { MP_ROM_QSTR(MP_QSTR_status), MP_ROM_PTR(&wlan_status_obj) },
    { MP_ROM_QSTR(MP_QSTR_ifconfig), MP_ROM_PTR(&wlan_ifconfig_obj) },
    { MP_ROM_QSTR(MP_QSTR_config), MP_ROM_PTR(&wlan_config_obj) },
    { MP_ROM_QSTR(MP_QSTR_IF_STA), MP_ROM_INT(STATION) },
    { MP_ROM_QSTR(MP_QSTR_IF_AP), MP_ROM_INT(ACCESS_POINT) },
};
static MP_DEFINE_CONST_DICT(wlan_locals, wlan_locals_table);

static MP_DEFINE_CONST_OBJ_TYPE(
    wlan_type, MP_QSTR_WLAN, MP_TYPE_FLAG_NONE, make_new, wlan_make_new, locals_dict, &wlan_locals);

static const mp_rom_map_elem_t network_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_network) },
    { MP_ROM_QSTR(MP_QSTR_WLAN), MP_ROM_PTR(&wlan_type) },
    { MP_ROM_QSTR(MP_QSTR_STA_IF), MP_ROM_INT(STATION) },
    { MP_ROM_QSTR(MP_QSTR_AP_IF), MP_ROM_INT(ACCESS_POINT) },
    { MP_ROM_QSTR(MP_QSTR_STAT_IDLE), MP_ROM_INT(0) },
    { MP_ROM_QSTR(MP_QSTR_STAT_CONNECTING), MP_ROM_INT(1) },
    { MP_ROM_QSTR(MP_QSTR_STAT_WRONG_PASSWORD), MP_ROM_INT(2) },
    { MP_ROM_QSTR(MP_QSTR_STAT_NO_AP_FOUND), MP_ROM_INT(3) },
    { MP_ROM_QSTR(MP_QSTR_STAT_CONNECT_FAIL), MP_ROM_INT(4) },
    { MP_ROM_QSTR(MP_QSTR_STAT_GOT_IP), MP_ROM_INT(GOT_IP) },
};
static MP_DEFINE_CONST_DICT(network_globals, network_globals_table);

const mp_obj_module_t simchip_network = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&network_globals,
};
MP_REGISTER_MODULE(MP_QSTR_network, simchip_network);

// esp: what is set has no effect.

static mp_obj_t sleep_type(size_t n_args, const mp_obj_t *args) {
    static uint8_t kind;
    if (n_args) {
        kind = mp_obj_get_int(args[0]);
        return mp_const_none;
    }
    return MP_OBJ_NEW_SMALL_INT(kind);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(sleep_type_obj, 0, 1, sleep_type);

static mp_obj_t osdebug(mp_obj_t level) {
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(osdebug_obj, osdebug);

static const mp_rom_map_elem_t esp_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_esp) },
    { MP_ROM_QSTR(MP_QSTR_sleep_type), MP_ROM_PTR(&sleep_type_obj) },
    { MP_ROM_QSTR(MP_QSTR_osdebug), MP_ROM_PTR(&osdebug_obj) },
    { MP_ROM_QSTR(MP_QSTR_flash_size), MP_ROM_PTR(&simchip_flash_size_obj) },
    { MP_ROM_QSTR(MP_QSTR_flash_user_start), MP_ROM_PTR(&simchip_flash_user_start_obj) },
    { MP_ROM_QSTR(MP_QSTR_flash_read), MP_ROM_PTR(&simchip_flash_read_obj) },
    { MP_ROM_QSTR(MP_QSTR_flash_write), MP_ROM_PTR(&simchip_flash_write_obj) },
    { MP_ROM_QSTR(MP_QSTR_flash_erase), MP_ROM_PTR(&simchip_flash_erase_obj) },
    { MP_ROM_QSTR(MP_QSTR_SLEEP_NONE), MP_ROM_INT(0) },
    { MP_ROM_QSTR(MP_QSTR_SLEEP_LIGHT), MP_ROM_INT(1) },
    { MP_ROM_QSTR(MP_QSTR_SLEEP_MODEM), MP_ROM_INT(2) },
};
static MP_DEFINE_CONST_DICT(esp_globals, esp_globals_table);

const mp_obj_module_t simchip_esp = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&esp_globals,
};
MP_REGISTER_MODULE(MP_QSTR_esp, simchip_esp);
