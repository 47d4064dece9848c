// Two worlds in one emulator: the device, in a heap as small as the chip's, and the environment, in a heap of its own.

#include "py/obj.h"

void worlds_start(size_t heap);  // the device's interpreter; then the environment's world is entered
void worlds_swap(void);  // to the other world: heap, loaded modules, sys.path, sys.argv, mounted file systems, new names
void border_start(void);
void border_collected(void);  // garbage has been
// Calls a method of the environment, outside of the count; buf, unless it is NULL, is its last argument, a memoryview.
// count: 2 at most.
mp_obj_t border_call(qstr method, size_t count, const mp_obj_t *arguments, void *buf, size_t length);
extern bool border_edge;
