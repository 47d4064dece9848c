// Imports one module of the environment and ends. The emulator's command line:
//   ENVIRONMENT.romfs ROMFS|- BYTES-OF-HEAP MODULE ARGUMENT ..
// Status 1: something has raised; 2: the command line is wrong; 3: the processor has met a fault; 4: the device has reset
// itself; 5: floating point is missing.

#include <string.h>

#include "py/builtin.h"
#include "py/gc.h"
#include "py/mphal.h"
#include "py/mpprint.h"
#include "py/objarray.h"
#include "py/objlist.h"
#include "py/runtime.h"
#include "py/stackctrl.h"
#include "extmod/vfs.h"
#include "extmod/vfs_rom.h"
#include "semihosting.h"
#include "worlds.h"

#define MAX_ENVIRONMENT (512 * 1024)
#define STACK (8192)  // as ports/esp8266/main.c

extern byte _romfs, _romfs_size, _stack_end;
static byte environment[MAX_ENVIRONMENT] __attribute__((section(".world"), aligned(8)));
static MP_DEFINE_MEMORYVIEW_OBJ(environment_obj, 'B', 0, MAX_ENVIRONMENT, environment);
static MP_DEFINE_MEMORYVIEW_OBJ(romfs_obj, 'B', 0, 320 * 1024, &_romfs);

static int wrong(const char *text) {
    host_print(text, strlen(text));
    return 2;
}

static bool load(const char *path, byte *to, size_t room) {
    int file = host_open(path), size;
    if (file < 0) {
        return false;
    }
    while (room && (size = host_read(file, to, room)) > 0) {
        to += size;
        room -= size;
    }
    host_close(file);
    return room > 0;
}

// The ESP8266's one segment.
mp_obj_t mp_vfs_rom_ioctl(size_t count, const mp_obj_t *arguments) {
    (void)count;
    switch (mp_obj_get_int(arguments[0])) {
        case MP_VFS_ROM_IOCTL_GET_NUMBER_OF_SEGMENTS:
            return MP_OBJ_NEW_SMALL_INT(1);
        case MP_VFS_ROM_IOCTL_GET_SEGMENT:
            return MP_OBJ_FROM_PTR(&romfs_obj);
        default:
            return MP_OBJ_NEW_SMALL_INT(-22);
    }
}

static void run(const char *module) {
    mp_obj_t fs = mp_call_function_1(MP_OBJ_FROM_PTR(&mp_type_vfs_rom), MP_OBJ_FROM_PTR(&environment_obj));
    mp_vfs_mount(2, (mp_obj_t[]) {fs, mp_obj_new_str("/env", 4)}, (mp_map_t *)&mp_const_empty_map);
    mp_obj_list_append(mp_sys_path, mp_obj_new_str("/env", 4));
    mp_import_name(qstr_from_str(module), mp_const_none, MP_OBJ_NEW_SMALL_INT(0));
}

int main(void) {
    static char line[1024];
    int count = host_arguments(line, sizeof(line));
    char **words = (char **)line;
    if (count < 5) {
        return wrong("The command line must be: ENVIRONMENT.romfs ROMFS|- BYTES-OF-HEAP MODULE ARGUMENT ..\n");
    }
    if (!load(words[1], environment, sizeof(environment))) {
        return wrong("The environment's image is not there, or too long.\n");
    }
    if (strcmp(words[2], "-") != 0 && !load(words[2], &_romfs, (size_t)&_romfs_size)) {
        return wrong("The ROMFS image is not there, or too long.\n");
    }
    size_t size = 0;
    for (const char *at = words[3]; '0' <= *at && *at <= '9'; at++) {
        size = size * 10 + *at - '0';
    }
    mp_stack_set_top(&_stack_end);
    mp_stack_set_limit(STACK);
    border_start();
    worlds_start(size);
    nlr_buf_t nlr;
    if (nlr_push(&nlr) == 0) {
        for (int i = 4; i < count; i++) {
            mp_obj_list_append(mp_sys_argv, mp_obj_new_str(words[i], strlen(words[i])));
        }
        run(words[4]);
        nlr_pop();
        return 0;
    }
    mp_obj_print_exception(&mp_plat_print, MP_OBJ_FROM_PTR(nlr.ret_val));
    return 1;
}

void nlr_jump_fail(void *value) {
    (void)value;
    host_exit(wrong("An exception that nobody catches.\n"));
}

__attribute__((noreturn)) void fault(uint32_t cause, uint32_t at, uint32_t address) {
    mp_printf(&mp_plat_print, "The processor has met fault %u at %x, address %x.\n", cause, at, address);
    host_exit(3);
}
