// os.urandom, the same bytes in each run. (The benchmark's programs put their own in its place.)

#include "py/runtime.h"

static mp_obj_t mp_os_urandom(mp_obj_t count) {
    static uint32_t state = 1;
    vstr_t vstr;
    vstr_init_len(&vstr, mp_obj_get_int(count));
    for (size_t i = 0; i < vstr.len; i++) {
        state = state * 1664525 + 1013904223;
        vstr.buf[i] = state >> 24;
    }
    return mp_obj_new_bytes_from_vstr(&vstr);
}
static MP_DEFINE_CONST_FUN_OBJ_1(mp_os_urandom_obj, mp_os_urandom);
