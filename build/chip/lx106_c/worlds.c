// Two worlds in one emulator: see worlds.h. Objects of the environment are never collected: its heap is large enough. So
// the device may hold them, and the environment must not keep objects of the device that nobody else holds.

#include <string.h>

#include "py/gc.h"
#include "py/qstr.h"
#include "py/runtime.h"
#include "extmod/vfs.h"
#include "worlds.h"

#define MAX_HEAP (128 * 1024)
#define WORLD_HEAP (24 * 1024 * 1024)

static byte heap[MAX_HEAP] __attribute__((aligned(16)));
static byte world_heap[WORLD_HEAP] __attribute__((section(".world"), aligned(16)));

static struct {
    mp_state_mem_t mem;
    mp_obj_dict_t modules;
    mp_obj_t path;
    mp_obj_list_t argv;
    mp_vfs_mount_t *mounted, *current;
    char *chunk;
    size_t chunk_alloc, chunk_used;
} other;

#define SWAP(a, b) do { __typeof__(a) swapped = a; a = b; b = swapped; } while (0)

void worlds_swap(void) {
    SWAP(other.mem, mp_state_ctx.mem);
    SWAP(other.modules, MP_STATE_VM(mp_loaded_modules_dict));
    SWAP(other.path, mp_sys_path);
    SWAP(other.argv, MP_STATE_VM(mp_sys_argv_obj));
    SWAP(other.mounted, MP_STATE_VM(vfs_mount_table));
    SWAP(other.current, MP_STATE_VM(vfs_cur));
    SWAP(other.chunk, MP_STATE_VM(qstr_last_chunk));
    SWAP(other.chunk_alloc, MP_STATE_VM(qstr_last_alloc));
    SWAP(other.chunk_used, MP_STATE_VM(qstr_last_used));
}

void worlds_start(size_t size) {
    gc_init(heap, heap + (size < MAX_HEAP ? size : MAX_HEAP));
    mp_init();
    mp_obj_list_append(mp_sys_path, MP_OBJ_NEW_QSTR(MP_QSTR__slash_lib));
    mp_obj_list_append(mp_sys_path, MP_OBJ_NEW_QSTR(MP_QSTR__slash_));
    worlds_swap();
    gc_init(world_heap, world_heap + WORLD_HEAP);
    MP_STATE_MEM(gc_auto_collect_enabled) = 0;
    mp_obj_dict_init(&MP_STATE_VM(mp_loaded_modules_dict), 16);
    mp_sys_path = mp_obj_new_list(0, NULL);
    mp_obj_list_init(MP_OBJ_TO_PTR(mp_sys_argv), 0);
}

extern byte _stack_end;
mp_uint_t gc_helper_get_regs_and_sp(mp_uint_t *regs);

// As ports/esp8266/gccollect.c.
void gc_collect(void) {
    gc_collect_start();
    mp_uint_t regs[8];
    mp_uint_t sp = gc_helper_get_regs_and_sp(regs);
    gc_collect_root((void **)sp, ((mp_uint_t)&_stack_end - sp) / sizeof(uint32_t));
    // Pools of names, the device's and the environment's, are one chain. What is the device's is found here.
    for (const qstr_pool_t *pool = MP_STATE_VM(last_pool); pool; pool = pool->prev) {
        gc_collect_root((void **)&pool, 1);
        if ((byte *)pool >= world_heap) {
            gc_collect_root((void **)pool->qstrs, pool->len);
        }
    }
    gc_collect_end();
    border_collected();
}
