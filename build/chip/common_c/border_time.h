// Time, which passes only where border.c or a wait lets it: two runs are the same.

#include <stdint.h>

extern uint64_t border_now_us;
void border_wait_ms(int timeout_ms);  // lets this time pass
