// The ESP8266's flash: a file of the computer, mapped outside of the heap. What is written can only clear bits, as on
// the chip; erasing a sector sets them.

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "simchip.h"
#include "py/mperrno.h"
#include "py/objarray.h"

#define SECTOR (4096)
#define USER_START (0x100000)
// Where the FLASH_2M_ROMFS variant of the firmware has its read-only file system, ports/esp8266/boards.
#define ROM_START (0xb0000)
#define ROM_BYTES (320 * 1024)

static uint8_t *flash;
static size_t flash_bytes;

static void fail_if(bool failed) {
    if (failed) {
        mp_raise_OSError(errno);
    }
}

// simchip.flash(path): gives the board the flash in that file; what it writes is kept there.
static mp_obj_t attach_flash(mp_obj_t path) {
    int fd = open(mp_obj_str_get_str(path), O_RDWR | O_CLOEXEC);
    fail_if(fd < 0);
    struct stat status;
    fail_if(fstat(fd, &status) < 0);
    flash_bytes = status.st_size;
    flash = mmap(NULL, flash_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    fail_if(flash == MAP_FAILED);
    close(fd);
    return mp_const_none;
}
MP_DEFINE_CONST_FUN_OBJ_1(simchip_flash_obj, attach_flash);

// simchip.rom(): the part of it that is mapped into memory for ROMFS; a memoryview.
static mp_obj_t rom(void) {
    if (flash_bytes < ROM_START + ROM_BYTES) {
        mp_raise_OSError(MP_ENODEV);
    }
    return mp_obj_new_memoryview('B', ROM_BYTES, flash + ROM_START);
}
MP_DEFINE_CONST_FUN_OBJ_0(simchip_rom_obj, rom);

static uint8_t *place(mp_obj_t offset_in, size_t size) {
    mp_uint_t offset = mp_obj_get_int(offset_in);
    if (offset > flash_bytes || size > flash_bytes - offset) {
        mp_raise_OSError(MP_EIO);
    }
    return flash + offset;
}

// esp.flash_*

static mp_obj_t size(void) {
    return MP_OBJ_NEW_SMALL_INT(flash_bytes);
}
MP_DEFINE_CONST_FUN_OBJ_0(simchip_flash_size_obj, size);

static mp_obj_t user_start(void) {
    return MP_OBJ_NEW_SMALL_INT(USER_START);
}
MP_DEFINE_CONST_FUN_OBJ_0(simchip_flash_user_start_obj, user_start);

static mp_obj_t read_into(mp_obj_t offset, mp_obj_t into) {
    mp_buffer_info_t buf;
    mp_get_buffer_raise(into, &buf, MP_BUFFER_WRITE);
    memcpy(buf.buf, place(offset, buf.len), buf.len);
    return mp_const_none;
}
MP_DEFINE_CONST_FUN_OBJ_2(simchip_flash_read_obj, read_into);

static mp_obj_t write_from(mp_obj_t offset, mp_obj_t from) {
    mp_buffer_info_t buf;
    mp_get_buffer_raise(from, &buf, MP_BUFFER_READ);
    uint8_t *at = place(offset, buf.len);
    for (size_t i = 0; i < buf.len; ++i) {
        at[i] &= ((const uint8_t *)buf.buf)[i];
    }
    return mp_const_none;
}
MP_DEFINE_CONST_FUN_OBJ_2(simchip_flash_write_obj, write_from);

static mp_obj_t erase(mp_obj_t sector) {
    mp_obj_t offset = mp_obj_new_int(mp_obj_get_int(sector) * SECTOR);
    memset(place(offset, SECTOR), 0xff, SECTOR);
    return mp_const_none;
}
MP_DEFINE_CONST_FUN_OBJ_1(simchip_flash_erase_obj, erase);
