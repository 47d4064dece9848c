// `socket` of the ESP8266: what MicroPython's modlwip does (docs/simulator.md), over sockets of the computer that lead to
// the wire process. That one can take Wi-Fi, memory and the name server away; sim/mpy/tcp.py says how it tells.

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "py/mphal.h"
#include "py/stream.h"
#include "simchip.h"

// As sim/wires/lwip.py.
#define TCP_SND_BUF (1072)
#define TCP_PCBS (5)
#define MEM_TRIES (200)
#define MEM_PAUSE_MS (50)
#define DNS_PORT (53)
#define EAI_NO_NAME (2)

#define KERNEL_BUFFER (1152)  // as sim/mpy/tcp.py
#define FATAL_EXCEPTION (4)  // status of the process
#define FOREVER ((mp_uint_t)-1)
#define GOT_IP (5)  // WLAN.status()

enum { NAME_PORT = 0, MEMORY = 1, ADDRESS_OF = 2 };
enum { NEW, CONNECTING, CONNECTED, PEER_CLOSED, FAILED, CLOSED };
enum { AF = 2, STREAM = 1, DGRAM = 2 };
enum { OPTION_TCP_NODELAY = 0x40, OPTION_REUSEADDR = 4 };

typedef struct {
    mp_obj_base_t base;
    int fd;
    uint8_t state, type;
    int error;  // while FAILED
    mp_uint_t timeout_ms;
} socket_obj_t;

static const mp_obj_type_t socket_type;
static unsigned pcbs;

static void wait_ms(unsigned ms) {
    mp_hal_delay_ms(ms);  // lets interrupts in
}

static void fail(socket_obj_t *self, int error) {
    self->state = FAILED;
    self->error = error;
}

// Looks how connecting has ended, if it has.
static void settle(socket_obj_t *self) {
    uint8_t open;
    if (self->state != CONNECTING) {
        return;
    }
    ssize_t n = recv(self->fd, &open, 1, MSG_DONTWAIT);
    if (n == 1) {
        self->state = CONNECTED;
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        fail(self, ECONNRESET);
    }
}

// Bytes that can be written.
static unsigned room(socket_obj_t *self) {
    int queued = 0;
    if (ioctl(self->fd, SIOCOUTQ, &queued) < 0) {
        return 0;
    }
    return queued < TCP_SND_BUF ? TCP_SND_BUF - queued : 0;
}

static bool out_of_time(socket_obj_t *self, mp_uint_t start) {
    if (self->timeout_ms != FOREVER && mp_hal_ticks_ms() - start >= self->timeout_ms) {
        return true;
    }
    wait_ms(1);
    return false;
}

// The address of what getaddrinfo() has given, or of (text, port).
static struct sockaddr_in address_of(mp_obj_t object) {
    mp_obj_t *items;
    mp_obj_get_array_fixed_n(object, 2, &items);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(mp_obj_get_int(items[1]))};
    if (!inet_pton(AF_INET, mp_obj_str_get_str(items[0]), &address.sin_addr)) {
        mp_raise_ValueError(MP_ERROR_TEXT("invalid arguments"));
    }
    return address;
}

static struct sockaddr_in here(unsigned port) {
    return (struct sockaddr_in) {
               .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)},
    };
}

static mp_obj_t make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_arg_check_num(n_args, n_kw, 0, 4, false);
    unsigned kind = n_args > 1 ? mp_obj_get_int(args[1]) : STREAM;
    if (kind != STREAM && kind != DGRAM) {
        mp_raise_OSError(EINVAL);
    }
    if (kind == STREAM && pcbs >= TCP_PCBS) {
        mp_raise_OSError(ENOMEM);
    }
    socket_obj_t *self = mp_obj_malloc_with_finaliser(socket_obj_t, type);
    self->fd = socket(AF_INET, kind == STREAM ? SOCK_STREAM : SOCK_DGRAM, 0);
    if (self->fd < 0) {
        mp_raise_OSError(errno);
    }
    self->state = NEW;
    self->type = kind;
    self->error = 0;
    self->timeout_ms = FOREVER;
    pcbs += kind == STREAM;
    return MP_OBJ_FROM_PTR(self);
}

// connect

static mp_obj_t socket_connect(mp_obj_t self_in, mp_obj_t address_in) {
    socket_obj_t *self = MP_OBJ_TO_PTR(self_in);
    struct sockaddr_in wanted = address_of(address_in);
    char host[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &wanted.sin_addr, host, sizeof(host));
    if (self->type != STREAM || self->state != NEW) {
        mp_raise_OSError(self->state == CLOSED ? EBADF : self->state == CONNECTED ? EISCONN : EALREADY);
    }
    const mp_machine_i2c_buf_t out = {strlen(host), (uint8_t *)host};
    const request_t request = {.kind = TCP_OPEN, .d = ntohs(wanted.sin_port), .n_out = 1, .out = &out};
    int port = simchip_ask(&request);
    if (port < 0) {
        mp_raise_OSError(-port);
    }
    const int buffer = KERNEL_BUFFER;
    setsockopt(self->fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof(buffer));
    const struct sockaddr_in local = here(port);
    unsigned were_on = simchip_interrupts_off();  // an interrupted connect() would be called again, from the start
    int result = connect(self->fd, (const struct sockaddr *)&local, sizeof(local));
    int error = errno;
    simchip_interrupts_restore(were_on);
    if (result < 0) {
        mp_raise_OSError(error);
    }
    const int at_once = 1;  // Nagle's algorithm is not modelled in this bed
    setsockopt(self->fd, IPPROTO_TCP, TCP_NODELAY, &at_once, sizeof(at_once));
    self->state = CONNECTING;
    mp_uint_t start = mp_hal_ticks_ms();
    for (;;) {
        wait_ms(1);
        settle(self);
        if (self->state != CONNECTING) {
            break;
        }
        if (out_of_time(self, start)) {
            mp_raise_OSError(self->timeout_ms ? ETIMEDOUT : EINPROGRESS);
        }
    }
    if (self->state == FAILED) {
        mp_raise_OSError(self->error);
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(socket_connect_obj, socket_connect);

// Bytes

static mp_uint_t tcp_send(socket_obj_t *self, const void *buf, mp_uint_t size, int *error) {
    mp_uint_t start = mp_hal_ticks_ms();
    unsigned space = 0;
    for (;;) {
        settle(self);
        if (self->state == FAILED || self->state == CLOSED) {
            *error = self->state == FAILED ? self->error : EBADF;
            return MP_STREAM_ERROR;
        }
        space = self->state == CONNECTED || self->state == PEER_CLOSED ? room(self) : 0;
        if (space) {
            break;
        }
        if (self->timeout_ms == 0 || out_of_time(self, start)) {
            *error = self->timeout_ms ? ETIMEDOUT : EAGAIN;
            return MP_STREAM_ERROR;
        }
    }
    for (int i = 0; i < MEM_TRIES && !simchip_call(LWIP, MEMORY, 0, 0, 0); ++i) {
        wait_ms(MEM_PAUSE_MS);  // also when the socket does not block
        if (i == MEM_TRIES - 1) {
            *error = ENOMEM;
            return MP_STREAM_ERROR;
        }
    }
    if (size == 0) {
        return 0;
    }
    ssize_t n = send(self->fd, buf, MIN(size, space), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0) {
        *error = errno;
        if (errno != EAGAIN) {
            fail(self, ECONNRESET);
            *error = ECONNRESET;
        }
        return MP_STREAM_ERROR;
    }
    return n;
}

static mp_uint_t receive(socket_obj_t *self, void *buf, mp_uint_t size, int *error) {
    mp_uint_t start = mp_hal_ticks_ms();
    for (;;) {
        settle(self);
        if (self->state == FAILED || self->state == CLOSED) {
            *error = self->state == FAILED ? self->error : EBADF;
            return MP_STREAM_ERROR;
        }
        ssize_t n = self->state == CONNECTING || (self->type == STREAM && self->state == NEW)
            ? -1 : recv(self->fd, buf, size, MSG_DONTWAIT);
        if (n >= 0) {
            if (n == 0 && self->type == STREAM) {
                self->state = PEER_CLOSED;
            }
            return n;
        }
        if (self->state != CONNECTING && self->type == STREAM && errno != EAGAIN && errno != EINTR) {
            fail(self, ECONNRESET);
            continue;
        }
        if (self->timeout_ms == 0 || out_of_time(self, start)) {
            *error = self->timeout_ms ? ETIMEDOUT : EAGAIN;
            return MP_STREAM_ERROR;
        }
    }
}

static mp_uint_t socket_read(mp_obj_t self_in, void *buf, mp_uint_t size, int *error) {
    return receive(MP_OBJ_TO_PTR(self_in), buf, size, error);
}

static mp_uint_t socket_write(mp_obj_t self_in, const void *buf, mp_uint_t size, int *error) {
    return tcp_send(MP_OBJ_TO_PTR(self_in), buf, size, error);
}

static mp_obj_t socket_send(mp_obj_t self_in, mp_obj_t data) {
    mp_buffer_info_t info;
    mp_get_buffer_raise(data, &info, MP_BUFFER_READ);
    int error = 0;
    mp_uint_t n = tcp_send(MP_OBJ_TO_PTR(self_in), info.buf, info.len, &error);
    if (n == MP_STREAM_ERROR) {
        mp_raise_OSError(error);
    }
    return MP_OBJ_NEW_SMALL_INT(n);
}
static MP_DEFINE_CONST_FUN_OBJ_2(socket_send_obj, socket_send);

static mp_obj_t socket_recv(mp_obj_t self_in, mp_obj_t size) {
    vstr_t text;
    vstr_init_len(&text, mp_obj_get_int(size));
    int error = 0;
    mp_uint_t n = receive(MP_OBJ_TO_PTR(self_in), text.buf, text.len, &error);
    if (n == MP_STREAM_ERROR) {
        mp_raise_OSError(error);
    }
    text.len = n;
    return mp_obj_new_bytes_from_vstr(&text);
}
static MP_DEFINE_CONST_FUN_OBJ_2(socket_recv_obj, socket_recv);

// To the name server; what goes anywhere else is lost.
static mp_obj_t socket_sendto(mp_obj_t self_in, mp_obj_t data, mp_obj_t address_in) {
    socket_obj_t *self = MP_OBJ_TO_PTR(self_in);
    mp_buffer_info_t info;
    mp_get_buffer_raise(data, &info, MP_BUFFER_READ);
    struct sockaddr_in wanted = address_of(address_in);
    if (self->type != DGRAM) {
        mp_raise_OSError(EOPNOTSUPP);
    }
    if (simchip_call(WLAN, 0, 3, 0, 0) != GOT_IP) {
        mp_raise_OSError(EHOSTUNREACH);
    }
    if (ntohs(wanted.sin_port) == DNS_PORT) {
        const struct sockaddr_in server = here(simchip_call(LWIP, NAME_PORT, 0, 0, 0));
        if (sendto(self->fd, info.buf, info.len, 0, (const struct sockaddr *)&server, sizeof(server)) < 0) {
            mp_raise_OSError(errno);
        }
    }
    return MP_OBJ_NEW_SMALL_INT(info.len);
}
static MP_DEFINE_CONST_FUN_OBJ_3(socket_sendto_obj, socket_sendto);

// Options

static mp_obj_t socket_settimeout(mp_obj_t self_in, mp_obj_t seconds) {
    socket_obj_t *self = MP_OBJ_TO_PTR(self_in);
    self->timeout_ms = seconds == mp_const_none ? FOREVER : (mp_uint_t)(1000 * mp_obj_get_float(seconds));
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(socket_settimeout_obj, socket_settimeout);

static mp_obj_t socket_setblocking(mp_obj_t self_in, mp_obj_t on) {
    socket_obj_t *self = MP_OBJ_TO_PTR(self_in);
    self->timeout_ms = mp_obj_is_true(on) ? FOREVER : 0;
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(socket_setblocking_obj, socket_setblocking);

static mp_obj_t socket_setsockopt(size_t n_args, const mp_obj_t *args) {
    socket_obj_t *self = MP_OBJ_TO_PTR(args[0]);
    settle(self);
    uint8_t byte;
    if (self->state == CONNECTED && recv(self->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == ECONNRESET) {
        fail(self, ECONNRESET);
    }
    if (self->state == FAILED || self->state == CLOSED) {
        // modlwip writes through a pointer that is null then, and the chip starts again.
        fprintf(stderr, "Fatal exception: StoreProhibited\n");
        exit(FATAL_EXCEPTION);
    }
    int option = mp_obj_get_int(args[2]);
    if (option != OPTION_TCP_NODELAY && option != OPTION_REUSEADDR) {
        printf("Warning: lwip.setsockopt() not implemented\n");
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(socket_setsockopt_obj, 4, 4, socket_setsockopt);

static mp_uint_t polled(socket_obj_t *self, mp_uint_t flags) {
    settle(self);
    mp_uint_t ready = 0;
    uint8_t byte;
    if (self->type == DGRAM) {
        ready = flags & MP_STREAM_POLL_WR;
        if (recv(self->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0) {
            ready |= flags & MP_STREAM_POLL_RD;
        }
        return ready;
    }
    if (self->state == CONNECTED) {
        ssize_t n = recv(self->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
        if (n == 1) {
            ready |= flags & MP_STREAM_POLL_RD;
        } else if (n == 0) {
            self->state = PEER_CLOSED;
        } else if (errno != EAGAIN && errno != EINTR) {
            fail(self, ECONNRESET);
        }
        if (self->state == CONNECTED && flags & MP_STREAM_POLL_WR && room(self)) {
            ready |= MP_STREAM_POLL_WR;
        }
    }
    switch (self->state) {
        case NEW:
            return ready | MP_STREAM_POLL_HUP;
        case PEER_CLOSED:
            return ready | (flags & (MP_STREAM_POLL_RD | MP_STREAM_POLL_WR));
        case FAILED:
            return ready | (flags & MP_STREAM_POLL_WR) | MP_STREAM_POLL_HUP;
        case CLOSED:
            return MP_STREAM_POLL_NVAL;
    }
    return ready;
}

static mp_uint_t socket_ioctl(mp_obj_t self_in, mp_uint_t request, uintptr_t argument, int *error) {
    socket_obj_t *self = MP_OBJ_TO_PTR(self_in);
    switch (request) {
        case MP_STREAM_POLL:
            return polled(self, argument);
        case MP_STREAM_CLOSE:
            if (self->state != CLOSED) {
                self->state = CLOSED;
                pcbs -= self->type == STREAM;
                close(self->fd);
            }
            return 0;
        default:
            *error = EINVAL;
            return MP_STREAM_ERROR;
    }
}

static const mp_rom_map_elem_t socket_locals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___del__), MP_ROM_PTR(&mp_stream_close_obj) },
    { MP_ROM_QSTR(MP_QSTR_close), MP_ROM_PTR(&mp_stream_close_obj) },
    { MP_ROM_QSTR(MP_QSTR_connect), MP_ROM_PTR(&socket_connect_obj) },
    { MP_ROM_QSTR(MP_QSTR_send), MP_ROM_PTR(&socket_send_obj) },
    { MP_ROM_QSTR(MP_QSTR_recv), MP_ROM_PTR(&socket_recv_obj) },
    { MP_ROM_QSTR(MP_QSTR_sendto), MP_ROM_PTR(&socket_sendto_obj) },
    { MP_ROM_QSTR(MP_QSTR_settimeout), MP_ROM_PTR(&socket_settimeout_obj) },
    { MP_ROM_QSTR(MP_QSTR_setblocking), MP_ROM_PTR(&socket_setblocking_obj) },
    { MP_ROM_QSTR(MP_QSTR_setsockopt), MP_ROM_PTR(&socket_setsockopt_obj) },
    { MP_ROM_QSTR(MP_QSTR_read), MP_ROM_PTR(&mp_stream_read_obj) },
    { MP_ROM_QSTR(MP_QSTR_readinto), MP_ROM_PTR(&mp_stream_readinto_obj) },
    { MP_ROM_QSTR(MP_QSTR_readline), MP_ROM_PTR(&mp_stream_unbuffered_readline_obj) },
    { MP_ROM_QSTR(MP_QSTR_write), MP_ROM_PTR(&mp_stream_write_obj) },
};
static MP_DEFINE_CONST_DICT(socket_locals, socket_locals_table);

static const mp_stream_p_t socket_stream = {
    .read = socket_read,
    .write = socket_write,
    .ioctl = socket_ioctl,
};

static MP_DEFINE_CONST_OBJ_TYPE(
    socket_type, MP_QSTR_socket, MP_TYPE_FLAG_NONE, make_new, make_new, protocol, &socket_stream,
    locals_dict, &socket_locals);

// getaddrinfo(host, port, ..): nothing else runs until it returns, up to 7 s.
static mp_obj_t socket_getaddrinfo(size_t n_args, const mp_obj_t *args) {
    size_t size;
    const char *host = mp_obj_str_get_data(args[0], &size);
    struct in_addr found;
    char text[INET_ADDRSTRLEN];
    if (!inet_pton(AF_INET, host, &found)) {
        const mp_machine_i2c_buf_t out = {size, (uint8_t *)host};
        const request_t request = {
            .kind = LWIP, .a = ADDRESS_OF, .n_out = 1, .out = &out, .into = {sizeof(found), (uint8_t *)&found},
        };
        if (simchip_ask(&request) < 0) {
            mp_raise_OSError(-EAI_NO_NAME);
        }
    }
    inet_ntop(AF_INET, &found, text, sizeof(text));
    const mp_obj_t address[] = {mp_obj_new_str_from_cstr(text), args[1]};
    mp_obj_t item = mp_obj_new_tuple(5, (mp_obj_t[]) {
        MP_OBJ_NEW_SMALL_INT(AF), MP_OBJ_NEW_SMALL_INT(STREAM), MP_OBJ_NEW_SMALL_INT(0), MP_OBJ_NEW_QSTR(MP_QSTR_),
        mp_obj_new_tuple(2, address),
    });
    return mp_obj_new_list(1, &item);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(socket_getaddrinfo_obj, 2, 6, socket_getaddrinfo);

static const mp_rom_map_elem_t socket_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_socket) },
    { MP_ROM_QSTR(MP_QSTR_socket), MP_ROM_PTR(&socket_type) },
    { MP_ROM_QSTR(MP_QSTR_getaddrinfo), MP_ROM_PTR(&socket_getaddrinfo_obj) },
    { MP_ROM_QSTR(MP_QSTR_AF_INET), MP_ROM_INT(AF) },
    { MP_ROM_QSTR(MP_QSTR_SOCK_STREAM), MP_ROM_INT(STREAM) },
    { MP_ROM_QSTR(MP_QSTR_SOCK_DGRAM), MP_ROM_INT(DGRAM) },
    { MP_ROM_QSTR(MP_QSTR_SOL_SOCKET), MP_ROM_INT(1) },
    { MP_ROM_QSTR(MP_QSTR_SO_REUSEADDR), MP_ROM_INT(OPTION_REUSEADDR) },
    { MP_ROM_QSTR(MP_QSTR_IPPROTO_TCP), MP_ROM_INT(6) },
    { MP_ROM_QSTR(MP_QSTR_TCP_NODELAY), MP_ROM_INT(OPTION_TCP_NODELAY) },
};
static MP_DEFINE_CONST_DICT(socket_globals, socket_globals_table);

const mp_obj_module_t simchip_socket = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&socket_globals,
};
MP_REGISTER_EXTENSIBLE_MODULE(MP_QSTR_socket, simchip_socket);
