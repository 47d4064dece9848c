// The simulated ESP8266's link to the wire process, and its interrupts.
//
// What the wire process sends on its own raises SIGIO. As an interrupt on the chip, the signal's handler only
// schedules: `serve_pending` then reads the frames, between two bytecodes or whenever the interpreter waits, and
// schedules the program's callbacks. A signal may come just before a system call that then sleeps; so, as long as
// something waits to be run, a timer repeats the signal.

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <poll.h>

#include "py/gc.h"
#include "py/mphal.h"
#include "simchip.h"

#define HEAD (8)
#define KICK_NS (1000000)
#define EXIT_WIRE_GONE (3)

static int link_fd = -1;
static uint8_t head[HEAD];
static timer_t kicker;
static mp_sched_node_t pending;

static void serve_pending(mp_sched_node_t *node);

// Interrupts

unsigned simchip_interrupts_off(void) {
    sigset_t interrupts, before;
    sigemptyset(&interrupts);
    sigaddset(&interrupts, SIGIO);
    sigprocmask(SIG_BLOCK, &interrupts, &before);
    return !sigismember(&before, SIGIO);
}

void simchip_interrupts_restore(unsigned were_on) {
    if (were_on) {
        sigset_t interrupts;
        sigemptyset(&interrupts);
        sigaddset(&interrupts, SIGIO);
        sigprocmask(SIG_UNBLOCK, &interrupts, NULL);
    }
}

static void set_kicker(long ns) {
    struct itimerspec when = {.it_value = {.tv_nsec = ns}};
    timer_settime(kicker, 0, &when, NULL);
}

void simchip_kick(void) {
    set_kicker(KICK_NS);
}

static void on_signal(int signal) {
    int error = errno;
    mp_sched_schedule_node(&pending, serve_pending);
    set_kicker(KICK_NS);
    errno = error;
}

// Frames

static void lost(void) {
    exit(EXIT_WIRE_GONE);
}

static void read_all(void *buf, size_t size) {
    while (size) {
        ssize_t n = read(link_fd, buf, size);
        if (n > 0) {
            buf = (uint8_t *)buf + n;
            size -= n;
        } else if (n == 0 || errno != EINTR) {
            lost();
        }
    }
}

static void write_all(const void *buf, size_t size) {
    while (size) {
        ssize_t n = write(link_fd, buf, size);
        if (n > 0) {
            buf = (const uint8_t *)buf + n;
            size -= n;
        } else if (errno != EINTR) {
            lost();
        }
    }
}

static void skip(size_t size) {
    uint8_t rest[64];
    while (size) {
        size_t n = MIN(size, sizeof(rest));
        read_all(rest, n);
        size -= n;
    }
}

static void send_head(const request_t *request, size_t size) {
    const uint8_t frame[HEAD] = {
        request->kind, request->a, size, size >> 8, request->b, request->c, request->d, request->d >> 8,
    };
    write_all(frame, HEAD);
}

static void measure(void) {
    gc_collect();
    gc_info_t info;
    gc_info(&info);
    const request_t measured = {.kind = MEASURED, .d = MIN(info.free, 65535u)};
    send_head(&measured, 0);
}

// Takes one frame. Returns: true if it is a reply, whose payload is still to be read.
static bool serve(void) {
    read_all(head, HEAD);
    switch (head[0] & 31) {
        case REPLY:
            return true;
        case EDGE:
            simchip_edge(head[1]);
            break;
        case MEASURE:
            measure();
            break;
    }
    skip(head[2] | head[3] << 8);
    return false;
}

static bool arrived(void) {
    struct pollfd link = {.fd = link_fd, .events = POLLIN};
    return poll(&link, 1, 0) > 0;
}

static void serve_pending(mp_sched_node_t *node) {
    while (arrived()) {
        serve();
    }
    // The scheduler runs one callback at a time; the others are not to wait for the end of a sleep.
    set_kicker(mp_sched_num_pending() ? KICK_NS : 0);
}

int simchip_ask(const request_t *request) {
    if (link_fd < 0) {
        return -ENODEV;
    }
    size_t size = 0;
    for (size_t i = 0; i < request->n_out; ++i) {
        size += request->out[i].len;
    }
    send_head(request, size);
    for (size_t i = 0; i < request->n_out; ++i) {
        write_all(request->out[i].buf, request->out[i].len);
    }
    while (!serve()) {
    }
    int error = head[4], value = head[6] | head[7] << 8;
    size = head[2] | head[3] << 8;
    size_t wanted = MIN(size, request->into.len);
    read_all(request->into.buf, wanted);
    skip(size - wanted);
    return error ? -error : value;
}

int simchip_call(uint8_t kind, uint8_t a, uint8_t b, uint8_t c, uint16_t d) {
    const request_t request = {.kind = kind, .a = a, .b = b, .c = c, .d = d};
    int value = simchip_ask(&request);
    if (value < 0) {
        mp_raise_OSError(-value);
    }
    return value;
}

bool simchip_attached(void) {
    return link_fd >= 0;
}

// The interpreter's delays: not cut short by an interrupt, which they let in.
int __wrap_usleep(useconds_t us);
int __wrap_usleep(useconds_t us) {
    struct timespec left = {us / 1000000, us % 1000000 * 1000};
    while (nanosleep(&left, &left) < 0 && errno == EINTR) {
        mp_handle_pending(true);
    }
    return 0;
}

// simchip.attach(fd, *folders): connects the board to its wire process; nothing else works before. Of the computer's
// file system the board sees the folders on sys.path, after what is frozen; the current folder must not come first.
static mp_obj_t attach(size_t n_args, const mp_obj_t *args) {
    link_fd = mp_obj_get_int(args[0]);
    mp_obj_list_set_len(mp_sys_path, 0);
    mp_obj_list_append(mp_sys_path, MP_OBJ_NEW_QSTR(MP_QSTR__dot_frozen));
    for (size_t i = 1; i < n_args; ++i) {
        mp_obj_list_append(mp_sys_path, args[i]);
    }
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGIO};
    struct sigaction action = {.sa_handler = on_signal};
    if (timer_create(CLOCK_MONOTONIC, &event, &kicker) < 0 || sigaction(SIGIO, &action, NULL) < 0
        || fcntl(link_fd, F_SETOWN, getpid()) < 0 || fcntl(link_fd, F_SETFL, O_ASYNC) < 0) {
        mp_raise_OSError(errno);
    }
    raise(SIGIO);  // for what came before
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR(attach_obj, 1, attach);

static const mp_rom_map_elem_t simchip_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_simchip) },
    { MP_ROM_QSTR(MP_QSTR_attach), MP_ROM_PTR(&attach_obj) },
    { MP_ROM_QSTR(MP_QSTR_flash), MP_ROM_PTR(&simchip_flash_obj) },
    { MP_ROM_QSTR(MP_QSTR_rom), MP_ROM_PTR(&simchip_rom_obj) },
};
static MP_DEFINE_CONST_DICT(simchip_globals, simchip_globals_table);

const mp_obj_module_t simchip_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&simchip_globals,
};
MP_REGISTER_MODULE(MP_QSTR_simchip, simchip_module);
