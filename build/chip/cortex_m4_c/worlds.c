// What is frozen is the device's: the environment looks for files first.
// The heap of the environment is never collected: it is large enough, or the program ends with a MemoryError. Both
// worlds may use each other's objects, but none may make an object of the other one larger (a list, a dict, new
// attributes): its heap does not know it.

#include "py/gc.h"
#include "py/runtime.h"
#include "shared/runtime/gchelper.h"
#include "worlds.h"

#define WORLD_HEAP (16 * 1024 * 1024)

static byte world_heap[WORLD_HEAP] __attribute__((section(".world"), aligned(16)));

static struct {
    mp_state_mem_t mem;
    mp_obj_dict_t modules;
    mp_obj_t path;
    char *chunk;
    size_t chunk_alloc, chunk_used;
} other;

#define SWAP(a, b) do { __typeof__(a) swapped = a; a = b; b = swapped; } while (0)

void worlds_swap(void) {
    SWAP(other.mem, mp_state_ctx.mem);
    SWAP(other.modules, MP_STATE_VM(mp_loaded_modules_dict));
    SWAP(other.path, mp_sys_path);
    SWAP(other.chunk, MP_STATE_VM(qstr_last_chunk));
    SWAP(other.chunk_alloc, MP_STATE_VM(qstr_last_alloc));
    SWAP(other.chunk_used, MP_STATE_VM(qstr_last_used));
}

void worlds_start(void) {
    worlds_swap();
    gc_init(world_heap, world_heap + WORLD_HEAP);
    MP_STATE_MEM(gc_auto_collect_enabled) = 0;
    mp_obj_dict_init(&MP_STATE_VM(mp_loaded_modules_dict), 16);
    mp_obj_t path[] = {MP_OBJ_NEW_QSTR(MP_QSTR_), MP_OBJ_NEW_QSTR(MP_QSTR__dot_frozen)};
    mp_sys_path = mp_obj_new_list(2, path);
    worlds_swap();
    mp_obj_t frozen_first[] = {MP_OBJ_NEW_QSTR(MP_QSTR__dot_frozen), MP_OBJ_NEW_QSTR(MP_QSTR_)};
    mp_sys_path = mp_obj_new_list(2, frozen_first);
}

static size_t used(void) {
    gc_info_t info;
    gc_info(&info);
    return info.used;
}

// Called with the device's heap, by its allocations and by gc.collect. What the environment holds of the device is kept;
// to look for it is not counted.
void gc_collect(void) {
    border_not_counted();
    size_t before = used();
    border_counted();
    border_collecting();
    gc_collect_start();
    gc_helper_collect_regs_and_stack();
    border_not_counted();
    mp_state_mem_area_t *area = &other.mem.area;
    size_t blocks = area->gc_last_used_block + 1;
    gc_collect_root((void **)area->gc_pool_start, blocks * MICROPY_BYTES_PER_GC_BLOCK / sizeof(void *));
    border_counted();
    gc_collect_end();
    border_not_counted();
    border_collected(before - used());
    border_counted();
}
