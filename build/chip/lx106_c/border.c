// The border between the device, whose instructions are counted, and its environment, and the time of both.
// The emulator runs with `-icount shift=6,sleep=off`: each instruction takes 64 ns of its time. CCOUNT shows that time in
// ticks of 25 ns (the emulated CPU has 40 MHz), less than half an instruction, so the count is exact.
//
// For the environment:
//   border.environment(x)   x has the methods that chip.c calls, outside of the count.
//   border.loader(f)        f() calls border.environment: when the device first needs it.
//   border.device(f)        calls f() as the device, with its heap and its modules. It is counted.
//   border.pass_us(us)      lets time pass. No other clock ticks: two runs are the same.
//   border.edge()           a falling edge on the pin that has a handler.
//   border.exit()           ends the emulator.
//   border.free()           the device's free heap, in bytes, after a collection of its garbage.
//   border.collecting()     the instructions of the longest such collection.
//   border.collections()    the collections since the last call of `collections`, those of `free` not among them.
//   border.longest()        the most instructions between two marks, since the last call of `longest`.
// For both:
//   border.count()          the instructions of the device since the last call of `count`.
//   border.outside(f)       calls f() in the environment's world.
// For the device:
//   border.mark()           the first begins, the second ends what `longest` tells.
//   border.loop(n)          the instructions that are counted of a loop of n, an even number, and a few around it.
//   border.interrupt(f)     has f(None) called as a soft interrupt handler: through the scheduler.
//   border.SoftI2C          machine.SoftI2C of MicroPython, over pins in memory.

#include "py/gc.h"
#include "py/mphal.h"
#include "py/runtime.h"
#include "extmod/modmachine.h"
#include "semihosting.h"
#include "worlds.h"

#define TICK_NS 25
#define INSTRUCTION_NS 64

bool border_edge;
static uint64_t device_ticks;
static uint32_t last_ticks;
static bool inside;
MP_REGISTER_ROOT_POINTER(mp_obj_t border_environment);
MP_REGISTER_ROOT_POINTER(mp_obj_t border_loader);

static inline uint32_t ticks(void) {
    uint32_t count;
    __asm__ volatile ("rsr %0, ccount" : "=a" (count) : : "memory");
    return count;
}

void border_start(void) {
    last_ticks = ticks();
}

// Returns the ticks since the last call: 107 s of the emulator's time at most, 1.6e9 instructions.
static inline uint32_t passed(void) {
    uint32_t before = last_ticks;
    last_ticks = ticks();
    return last_ticks - before;
}

static inline void leave(void) {
    device_ticks += passed();
    worlds_swap();
    inside = false;
}

static inline void enter(void) {
    inside = true;
    worlds_swap();
    passed();
}

// What is raised outside ends the emulator: the environment has a fault of its own.
static mp_obj_t call_outside(mp_obj_t function, size_t count, const mp_obj_t *arguments) {
    nlr_buf_t nlr;
    bool was_inside = inside;
    if (was_inside) {
        leave();
    }
    if (nlr_push(&nlr) == 0) {
        mp_obj_t result = mp_call_function_n_kw(function, count, 0, arguments);
        nlr_pop();
        if (was_inside) {
            enter();
        }
        return result;
    }
    mp_obj_print_exception(&mp_plat_print, MP_OBJ_FROM_PTR(nlr.ret_val));
    host_exit(1);
}

mp_obj_t border_call(qstr method, size_t count, const mp_obj_t *arguments, void *buf, size_t length) {
    mp_obj_t whole[2 + 3];
    leave();
    if (MP_STATE_VM(border_environment) == MP_OBJ_NULL) {
        call_outside(MP_STATE_VM(border_loader), 0, NULL);
    }
    mp_load_method(MP_STATE_VM(border_environment), method, whole);
    size_t used = whole[1] == MP_OBJ_NULL ? 1 : 2;
    for (size_t i = 0; i < count; i++) {
        whole[used++] = arguments[i];
    }
    if (buf != NULL) {
        whole[used++] = mp_obj_new_memoryview(0x80 | 'B', length, buf);
    }
    mp_obj_t result = call_outside(whole[0], used - 1, whole + 1);
    enter();
    return result;
}

static mp_obj_t border_outside(mp_obj_t function) {
    call_outside(function, 0, NULL);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(border_outside_obj, border_outside);

static mp_obj_t border_set_environment(mp_obj_t environment) {
    MP_STATE_VM(border_environment) = environment;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(border_environment_obj, border_set_environment);

static mp_obj_t border_set_loader(mp_obj_t loader) {
    MP_STATE_VM(border_loader) = loader;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(border_loader_obj, border_set_loader);

static mp_obj_t border_device(mp_obj_t function) {
    nlr_buf_t nlr;
    enter();
    if (nlr_push(&nlr) == 0) {
        mp_call_function_0(function);
        nlr_pop();
        leave();
        return mp_const_none;
    }
    leave();
    mp_obj_print_exception(&mp_plat_print, MP_OBJ_FROM_PTR(nlr.ret_val));
    host_exit(1);
}
static MP_DEFINE_CONST_FUN_OBJ_1(border_device_obj, border_device);

static mp_obj_t border_pass_us(mp_obj_t us) {
    border_now_us += mp_obj_get_int(us);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(border_pass_us_obj, border_pass_us);

static mp_obj_t border_make_edge(void) {
    border_edge = true;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(border_edge_obj, border_make_edge);

static mp_obj_t border_exit(void) {
    host_exit(0);
}
static MP_DEFINE_CONST_FUN_OBJ_0(border_exit_obj, border_exit);

static uint64_t device_now(void) {
    if (inside) {
        device_ticks += passed();
    }
    return device_ticks;
}

static mp_obj_t instructions(uint64_t of_ticks) {
    uint64_t count = (of_ticks * TICK_NS + INSTRUCTION_NS / 2) / INSTRUCTION_NS;
    if (count > 0x3fffffff) {
        mp_raise_msg(&mp_type_OverflowError, MP_ERROR_TEXT("too many instructions at once: count more often"));
    }
    return MP_OBJ_NEW_SMALL_INT(count);
}

static mp_obj_t border_count(void) {
    static uint64_t last;
    uint64_t before = last;
    last = device_now();
    mp_obj_t result = instructions(last - before);
    if (inside) {
        passed();
    }
    return result;
}
static MP_DEFINE_CONST_FUN_OBJ_0(border_count_obj, border_count);

static mp_obj_t border_loop(mp_obj_t length) {
    uint32_t rounds = mp_obj_get_int(length) / 2;
    uint32_t before = ticks();
    __asm__ volatile ("1: addi %0, %0, -1\n\tbnez %0, 1b" : "+r" (rounds));
    return instructions(ticks() - before);
}
static MP_DEFINE_CONST_FUN_OBJ_1(border_loop_obj, border_loop);

static uint64_t marked, longest;

static mp_obj_t border_mark(void) {
    static bool begun;
    begun = !begun;
    if (begun) {
        marked = device_now();
    } else {
        longest = MAX(longest, device_now() - marked);
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(border_mark_obj, border_mark);

static mp_obj_t border_longest(void) {
    uint64_t before = longest;
    longest = 0;
    return instructions(before);
}
static MP_DEFINE_CONST_FUN_OBJ_0(border_longest_obj, border_longest);

static uint32_t collections, collecting;

void border_collected(void) {
    collections += inside;
}

static mp_obj_t border_collections(void) {
    mp_obj_t result = MP_OBJ_NEW_SMALL_INT(collections);
    collections = 0;
    return result;
}
static MP_DEFINE_CONST_FUN_OBJ_0(border_collections_obj, border_collections);

static mp_obj_t border_free(void) {
    gc_info_t info;
    worlds_swap();
    uint32_t before = ticks();
    gc_collect();
    before = ticks() - before;
    collecting = MAX(collecting, before);
    gc_info(&info);
    worlds_swap();
    return MP_OBJ_NEW_SMALL_INT(info.free);
}
static MP_DEFINE_CONST_FUN_OBJ_0(border_free_obj, border_free);

static mp_obj_t border_collecting(void) {
    return instructions(collecting);
}
static MP_DEFINE_CONST_FUN_OBJ_0(border_collecting_obj, border_collecting);

static mp_obj_t border_interrupt(mp_obj_t function) {
    mp_sched_schedule(function, mp_const_none);
    mp_handle_pending(true);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(border_interrupt_obj, border_interrupt);

static const mp_rom_map_elem_t border_globals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_border)},
    {MP_ROM_QSTR(MP_QSTR_environment), MP_ROM_PTR(&border_environment_obj)},
    {MP_ROM_QSTR(MP_QSTR_loader), MP_ROM_PTR(&border_loader_obj)},
    {MP_ROM_QSTR(MP_QSTR_device), MP_ROM_PTR(&border_device_obj)},
    {MP_ROM_QSTR(MP_QSTR_outside), MP_ROM_PTR(&border_outside_obj)},
    {MP_ROM_QSTR(MP_QSTR_pass_us), MP_ROM_PTR(&border_pass_us_obj)},
    {MP_ROM_QSTR(MP_QSTR_edge), MP_ROM_PTR(&border_edge_obj)},
    {MP_ROM_QSTR(MP_QSTR_exit), MP_ROM_PTR(&border_exit_obj)},
    {MP_ROM_QSTR(MP_QSTR_mark), MP_ROM_PTR(&border_mark_obj)},
    {MP_ROM_QSTR(MP_QSTR_longest), MP_ROM_PTR(&border_longest_obj)},
    {MP_ROM_QSTR(MP_QSTR_collections), MP_ROM_PTR(&border_collections_obj)},
    {MP_ROM_QSTR(MP_QSTR_free), MP_ROM_PTR(&border_free_obj)},
    {MP_ROM_QSTR(MP_QSTR_collecting), MP_ROM_PTR(&border_collecting_obj)},
    {MP_ROM_QSTR(MP_QSTR_interrupt), MP_ROM_PTR(&border_interrupt_obj)},
    {MP_ROM_QSTR(MP_QSTR_count), MP_ROM_PTR(&border_count_obj)},
    {MP_ROM_QSTR(MP_QSTR_loop), MP_ROM_PTR(&border_loop_obj)},
    {MP_ROM_QSTR(MP_QSTR_SoftI2C), MP_ROM_PTR(&mp_machine_soft_i2c_type)},
};
static MP_DEFINE_CONST_DICT(border_globals, border_globals_table);

const mp_obj_module_t border_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&border_globals,
};
MP_REGISTER_MODULE(MP_QSTR_border, border_module);
