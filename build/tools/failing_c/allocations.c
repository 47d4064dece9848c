// Allocations of the heap that fail, and how many there are.
//
//   allocations.fail(n, count)  the n-th counted allocation from now on fails, and the ones behind it, `count` in all.
//                               n = 0: none does.
//   allocations.counted()       how many have been counted since.
//   allocations.failed()        how many of them have failed.
//   allocations.pause(), .resume()  what is allocated in between is not counted. They may be nested.
//
// Only what could fail on a board fails: a block that shrinks does not. Python sees a MemoryError, or what the
// interpreter does instead: a call whose frame finds no room in the heap takes the C stack.

#include "py/gc.h"
#include "py/runtime.h"

static mp_uint_t counted;
static mp_uint_t first;
static mp_uint_t last;
static mp_uint_t failed;
static mp_uint_t paused = 1;

static bool fails(void) {
    if (paused) {
        return false;
    }
    counted += 1;
    if (first == 0 || counted < first || counted > last) {
        return false;
    }
    failed += 1;
    return true;
}

void *__real_gc_alloc(size_t n_bytes, unsigned int alloc_flags);
void *__wrap_gc_alloc(size_t n_bytes, unsigned int alloc_flags) {
    return n_bytes && fails() ? NULL : __real_gc_alloc(n_bytes, alloc_flags);
}

void *__real_gc_realloc(void *ptr, size_t n_bytes, bool allow_move);
void *__wrap_gc_realloc(void *ptr, size_t n_bytes, bool allow_move) {
    bool grows = ptr == NULL || n_bytes > gc_nbytes(ptr);
    return grows && n_bytes && fails() ? NULL : __real_gc_realloc(ptr, n_bytes, allow_move);
}

static mp_obj_t allocations_fail(mp_obj_t n, mp_obj_t count) {
    counted = 0;
    failed = 0;
    first = mp_obj_get_int(n);
    last = first + mp_obj_get_int(count) - 1;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(allocations_fail_obj, allocations_fail);

static mp_obj_t allocations_counted(void) {
    return MP_OBJ_NEW_SMALL_INT(counted);
}
static MP_DEFINE_CONST_FUN_OBJ_0(allocations_counted_obj, allocations_counted);

static mp_obj_t allocations_failed(void) {
    return MP_OBJ_NEW_SMALL_INT(failed);
}
static MP_DEFINE_CONST_FUN_OBJ_0(allocations_failed_obj, allocations_failed);

static mp_obj_t allocations_pause(void) {
    paused += 1;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(allocations_pause_obj, allocations_pause);

static mp_obj_t allocations_resume(void) {
    paused -= 1;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_0(allocations_resume_obj, allocations_resume);

static const mp_rom_map_elem_t allocations_globals_table[] = {
    {MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_allocations)},
    {MP_ROM_QSTR(MP_QSTR_fail), MP_ROM_PTR(&allocations_fail_obj)},
    {MP_ROM_QSTR(MP_QSTR_counted), MP_ROM_PTR(&allocations_counted_obj)},
    {MP_ROM_QSTR(MP_QSTR_failed), MP_ROM_PTR(&allocations_failed_obj)},
    {MP_ROM_QSTR(MP_QSTR_pause), MP_ROM_PTR(&allocations_pause_obj)},
    {MP_ROM_QSTR(MP_QSTR_resume), MP_ROM_PTR(&allocations_resume_obj)},
};
static MP_DEFINE_CONST_DICT(allocations_globals, allocations_globals_table);

const mp_obj_module_t allocations_module = {
    .base = {&mp_type_module},
    .globals = (mp_obj_dict_t *)&allocations_globals,
};
MP_REGISTER_MODULE(MP_QSTR_allocations, allocations_module);
