// Imports one module and ends. The emulator's command line: BYTES-OF-HEAP MODULE ARGUMENT ..
// Status 1: the module has raised; 2: the command line is wrong.

#include <stdlib.h>
#include <string.h>

#include "py/builtin.h"
#include "py/gc.h"
#include "py/mphal.h"
#include "py/objlist.h"
#include "py/runtime.h"
#include "py/stackctrl.h"
#include "semihosting.h"
#include "worlds.h"

#define MAX_HEAP (2 * 1024 * 1024)
#define MAX_WORDS 12
#define STACK (15 * 1024)  // a Pyboard's 16 KB, less its reserve

static uint32_t heap[MAX_HEAP / sizeof(uint32_t)];

static int wrong(const char *text) {
    host_print(text, strlen(text));
    return 2;
}

static int run(const char *module) {
    nlr_buf_t nlr;
    if (nlr_push(&nlr) == 0) {
        mp_import_name(qstr_from_str(module), mp_const_none, MP_OBJ_NEW_SMALL_INT(0));
        nlr_pop();
        return 0;
    }
    mp_obj_print_exception(&mp_plat_print, MP_OBJ_FROM_PTR(nlr.ret_val));
    return 1;
}

int main(void) {
    static char line[512];
    char *words[MAX_WORDS];
    int count = 0;
    if (host_arguments(line, sizeof(line)) < 0) {
        return wrong("The command line is too long.\n");
    }
    for (char *at = line; *at;) {
        if (count == MAX_WORDS) {
            return wrong("The command line has too many words.\n");
        }
        words[count++] = at;
        at += strcspn(at, " ");
        while (*at == ' ') {
            *at++ = 0;
        }
    }
    size_t size = 0;
    for (const char *at = count ? words[0] : ""; '0' <= *at && *at <= '9' && size <= MAX_HEAP; at++) {
        size = size * 10 + *at - '0';
    }
    if (count < 2 || size < 1024 || size > MAX_HEAP) {
        return wrong("The command line must be: BYTES-OF-HEAP MODULE ARGUMENT ..\n");
    }
    border_start();
    mp_stack_set_top(__builtin_frame_address(0));
    mp_stack_set_limit(STACK);
    gc_init(heap, (byte *)heap + size);
    mp_init();
    worlds_start();
    for (int i = 1; i < count; i++) {
        mp_obj_list_append(mp_sys_argv, mp_obj_new_str(words[i], strlen(words[i])));
    }
    return run(words[1]);
}

void nlr_jump_fail(void *value) {
    (void)value;
    host_exit(wrong("An exception that nobody catches.\n"));
}
