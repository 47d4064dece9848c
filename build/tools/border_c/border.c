// The border between a device whose instructions are counted and the rest of its world, and the time of that world.
//
//   border.outside(f)       calls f(). valgrind's callgrind stops counting at `border_outside`, and goes on behind it.
//   border.mark()           nothing: callgrind can dump its counts at `border_mark`.
//   border.pass_us(us)      lets time pass. No other clock ticks: two runs are the same.
//
// Whoever waits lets the time pass for which he waits: nothing else can happen meanwhile in a process of one thread
// whose pollable objects are all of Python.

#include <poll.h>
#include <stdint.h>
#include <sys/time.h>
#include <time.h>

#include "py/runtime.h"

static uint64_t now_us;

int __wrap_clock_gettime(clockid_t clock, struct timespec *time) {
    (void)clock;
    time->tv_sec = now_us / 1000000;
    time->tv_nsec = now_us % 1000000 * 1000;
    return 0;
}

int __wrap_gettimeofday(struct timeval *time, void *zone) {
    (void)zone;
    time->tv_sec = now_us / 1000000;
    time->tv_usec = now_us % 1000000;
    return 0;
}

int __wrap_poll(struct pollfd *files, nfds_t count, int timeout_ms) {
    (void)files;
    (void)count;
    if (timeout_ms > 0) {
        now_us += (uint64_t)timeout_ms * 1000;
    }
    return 0;
}

// These two are not static and never inlined: callgrind knows them by their names.
MP_NOINLINE mp_obj_t border_outside(mp_obj_t function) {
    mp_call_function_0(function);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(border_outside_obj, border_outside);

MP_NOINLINE mp_obj_t border_mark(void) {
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(border_mark_obj, border_mark);

static mp_obj_t border_pass_us(mp_obj_t us) {
    now_us += mp_obj_get_int(us);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(border_pass_us_obj, border_pass_us);

static const mp_rom_map_elem_t border_globals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_border)},
    {MP_ROM_QSTR(MP_QSTR_outside), MP_ROM_PTR(&border_outside_obj)},
    {MP_ROM_QSTR(MP_QSTR_mark), MP_ROM_PTR(&border_mark_obj)},
    {MP_ROM_QSTR(MP_QSTR_pass_us), MP_ROM_PTR(&border_pass_us_obj)},
};
static MP_DEFINE_CONST_DICT(border_globals, border_globals_table);

const mp_obj_module_t border_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&border_globals,
};
MP_REGISTER_MODULE(MP_QSTR_border, border_module);
