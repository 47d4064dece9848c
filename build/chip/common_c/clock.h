// time.time(): seconds since the start.

#include "py/mphal.h"
#include "py/obj.h"

static mp_obj_t mp_time_time_get(void) {
    return mp_obj_new_int_from_uint(border_now_us / 1000000);
}
