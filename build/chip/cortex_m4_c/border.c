// The border between a device whose instructions are counted and the rest of its world, and the time of that world: what
// build/tools/border_c/ is for valgrind. The emulator runs with `-icount shift=6`: each instruction takes 64 ns of its
// time. A timer of 25 MHz shows that time: 40 ns a tick, less than an instruction, so the count is exact.
//
//   border.outside(f)       calls f() in the environment's world (worlds.c), without counting.
//   border.mark()           nothing.
//   border.pass_us(us)      lets time pass. No other clock ticks: two runs are the same.
//   border.count()          the instructions of the device since the last call of `count`.
//   border.held(coroutine)  a coroutine that is that one. Its steps are measured, without the interrupts that fall into
//                           them: here the bridge's exchanges of many milliseconds come at once.
//   border.allocated()      the bytes that the device has allocated and not freed itself, since the last call.
//   border.collections()    (the collections of the device's garbage, their instructions, those of the longest) since the
//                           last call. `count`, `steps` are without them.
//   border.steps()          (the instructions of its steps, of the longest of them) since the last call of `steps`.
//   border.interrupt(f, x)  has f(x) called as a soft interrupt handler: through the scheduler.

#include "py/mphal.h"
#include "py/gc.h"
#include "py/runtime.h"
#include "worlds.h"

#define TIMER ((volatile uint32_t *)0x40000000)  // CTRL, VALUE, RELOAD
#define TICK_NS 40
#define INSTRUCTION_NS 64

static uint64_t device_ticks;
static uint32_t timer_value;

void border_start(void) {
    TIMER[2] = TIMER[1] = timer_value = 0xffffffff;
    TIMER[0] = 1;
}

// Returns the ticks since the last call: 171 s of the emulator's time at most, 2.7e9 instructions.
static inline uint32_t passed(void) {
    uint32_t before = timer_value;
    timer_value = TIMER[1];  // counts down
    return before - timer_value;
}

static uint64_t device_now(void) {
    device_ticks += passed();
    return device_ticks;
}

static mp_obj_t instructions(uint64_t ticks) {
    uint64_t count = (ticks * TICK_NS + INSTRUCTION_NS / 2) / INSTRUCTION_NS;
    if (count > 0x3fffffff) {
        mp_raise_msg(&mp_type_OverflowError, MP_ERROR_TEXT("too many instructions at once: count more often"));
    }
    return MP_OBJ_NEW_SMALL_INT(count);
}

static mp_obj_t border_outside(mp_obj_t function) {
    device_ticks += passed();
    worlds_swap();
    mp_call_function_0(function);
    worlds_swap();
    passed();
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(border_outside_obj, border_outside);

static mp_obj_t border_mark(void) {
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(border_mark_obj, border_mark);

static mp_obj_t border_pass_us(mp_obj_t us) {
    border_now_us += mp_obj_get_int(us);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(border_pass_us_obj, border_pass_us);

static mp_obj_t border_count(void) {
    static uint64_t last;
    uint64_t now = device_now(), before = last;
    last = now;
    return instructions(now - before);
}
static MP_DEFINE_CONST_FUN_OBJ_0(border_count_obj, border_count);

void border_not_counted(void) {
    device_ticks += passed();
}

void border_counted(void) {
    passed();
}

static uint64_t began, of_collections, longest_collection;
static size_t collections, freed;

void border_collecting(void) {
    began = device_ticks;
}

// A collection is no part of what the device does otherwise.
void border_collected(size_t bytes) {
    uint64_t took = device_ticks - began;
    device_ticks = began;
    freed += bytes;
    collections++;
    of_collections += took;
    if (took > longest_collection) {
        longest_collection = took;
    }
}

static mp_obj_t border_collections(void) {
    mp_obj_t found[3] = {
        MP_OBJ_NEW_SMALL_INT(collections), instructions(of_collections), instructions(longest_collection)
    };
    collections = of_collections = longest_collection = 0;
    return mp_obj_new_tuple(3, found);
}
static MP_DEFINE_CONST_FUN_OBJ_0(border_collections_obj, border_collections);

static mp_obj_t border_allocated(void) {
    static size_t last;
    gc_info_t info;
    gc_info(&info);
    size_t before = last;
    last = info.used + freed;
    return mp_obj_new_int_from_uint(last - before);
}
static MP_DEFINE_CONST_FUN_OBJ_0(border_allocated_obj, border_allocated);

static uint64_t longest, of_steps;

static mp_obj_t border_steps(void) {
    mp_obj_t both[2] = {instructions(of_steps), instructions(longest)};
    of_steps = longest = 0;
    return mp_obj_new_tuple(2, both);
}
static MP_DEFINE_CONST_FUN_OBJ_0(border_steps_obj, border_steps);

static uint64_t of_interrupts;

static mp_obj_t border_interrupt(mp_obj_t function, mp_obj_t argument) {
    uint64_t before = device_now();
    mp_sched_schedule(function, argument);
    mp_handle_pending(true);
    of_interrupts += device_now() - before;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(border_interrupt_obj, border_interrupt);

typedef struct {
    mp_obj_base_t base;
    mp_obj_t coroutine;
} held_t;

static mp_obj_t held_send(mp_obj_t self, mp_obj_t what) {
    mp_obj_t method[3];
    mp_load_method(((held_t *)MP_OBJ_TO_PTR(self))->coroutine, MP_QSTR_send, method);
    method[2] = what;
    uint64_t before = device_now() - of_interrupts;
    mp_obj_t result = mp_call_method_n_kw(1, 0, method);
    uint64_t took = device_now() - of_interrupts - before;
    of_steps += took;
    if (took > longest) {
        longest = took;
    }
    return result;
}
static MP_DEFINE_CONST_FUN_OBJ_2(held_send_obj, held_send);

static const mp_rom_map_elem_t held_locals_table[] = {
    {MP_ROM_QSTR(MP_QSTR_send), MP_ROM_PTR(&held_send_obj)},
};
static MP_DEFINE_CONST_DICT(held_locals, held_locals_table);

static MP_DEFINE_CONST_OBJ_TYPE(held_type, MP_QSTR_held, MP_TYPE_FLAG_NONE, locals_dict, &held_locals);

static mp_obj_t border_held(mp_obj_t coroutine) {
    held_t *self = mp_obj_malloc(held_t, &held_type);
    self->coroutine = coroutine;
    return MP_OBJ_FROM_PTR(self);
}
static MP_DEFINE_CONST_FUN_OBJ_1(border_held_obj, border_held);

static const mp_rom_map_elem_t border_globals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_border)},
    {MP_ROM_QSTR(MP_QSTR_outside), MP_ROM_PTR(&border_outside_obj)},
    {MP_ROM_QSTR(MP_QSTR_mark), MP_ROM_PTR(&border_mark_obj)},
    {MP_ROM_QSTR(MP_QSTR_pass_us), MP_ROM_PTR(&border_pass_us_obj)},
    {MP_ROM_QSTR(MP_QSTR_count), MP_ROM_PTR(&border_count_obj)},
    {MP_ROM_QSTR(MP_QSTR_held), MP_ROM_PTR(&border_held_obj)},
    {MP_ROM_QSTR(MP_QSTR_allocated), MP_ROM_PTR(&border_allocated_obj)},
    {MP_ROM_QSTR(MP_QSTR_collections), MP_ROM_PTR(&border_collections_obj)},
    {MP_ROM_QSTR(MP_QSTR_steps), MP_ROM_PTR(&border_steps_obj)},
    {MP_ROM_QSTR(MP_QSTR_interrupt), MP_ROM_PTR(&border_interrupt_obj)},
};
static MP_DEFINE_CONST_DICT(border_globals, border_globals_table);

const mp_obj_module_t border_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&border_globals,
};
MP_REGISTER_MODULE(MP_QSTR_border, border_module);
