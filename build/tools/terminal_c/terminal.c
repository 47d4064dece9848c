// What boards do with os.dupterm, in the unix port, whose own code for it does not work (unix_mphal.c leaves a handler
// of exceptions behind whenever nothing has come). The prompt asks all terminals in turn, as ports/rp2/mphalport.c does;
// here the one of os.dupterm alone. What is printed goes to os.dupterm and to stdout by the port's own code.

#include <unistd.h>

#include "py/mphal.h"
#include "py/runtime.h"
#include "extmod/misc.h"

int mp_interrupt_char = -1;

void __real_mp_hal_set_interrupt_char(char c);
void __wrap_mp_hal_set_interrupt_char(char c) {
    mp_interrupt_char = c == (char)-1 ? -1 : c;
    __real_mp_hal_set_interrupt_char(c);
}

int __wrap_mp_hal_stdin_rx_chr(void) {
    for (;;) {
        mp_sched_lock(); // as on boards with os.dupterm_notify: nothing that is scheduled runs while it reads
        int c = mp_os_dupterm_rx_chr();
        mp_sched_unlock();
        if (c >= 0) {
            return c == '\n' ? '\r' : c;
        }
        mp_handle_pending(true);
        usleep(1000); // a board sleeps until its next interrupt
    }
}
