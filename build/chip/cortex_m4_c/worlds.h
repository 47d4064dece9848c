// Two worlds in one emulator: the device, with a heap as large as a board's, and all else, with a heap of its own.

#include "py/obj.h"

void worlds_start(void);
void worlds_swap(void);  // to the other world: heap, loaded modules, sys.path, new names
void border_start(void);
void border_collecting(void);  // the device collects its garbage from here on
void border_not_counted(void);  // what follows is no work of the device
void border_counted(void);  // from here on it is again
void border_collected(size_t bytes);  // that were freed
