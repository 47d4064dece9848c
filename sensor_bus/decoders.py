"""Decoders of devices whose bytes no list of attributes can describe: a FIFO, or values that need compensation.

A record names one in resp.c.n. Each takes the bytes of a sample, the constants behind them, and returns rows: of each
data point, oldest first, the values in the order of the record's attributes, None where there is none. What the record
then says of d and a is still to be done. None of them raises anything, whatever the bytes are.
"""

# BME280, measurements that were skipped (data sheet 5.4.7 to 5.4.9: the values after a reset).
_NO_20_BITS = 0x80000
_NO_16_BITS = 0x8000
_BME280_SAMPLE = 8
_BME280_CONSTANTS = 33
_MAX30101_POINTS = 32  # of the FIFO
_MAX30101_BYTES = 6  # of a point: red and infrared
_LSM6DS_HEAD = 4
_LSM6DS_FULL = 0x60  # FIFO_STATUS2: OVER_RUN, FIFO_FULL
_LSM6DS_WORDS = 6  # of a point: gyroscope and accelerometer


def rows_of(name, data):
    """Returns the rows of a sample. Raises: ValueError: there is no decoder of this name."""
    if name == "bme280":
        return _bme280(data)
    if name == "max30101_fifo":
        return _max30101(data)
    if name == "lsm6ds_fifo":
        return _lsm6ds(data)
    raise ValueError("there is no decoder %r" % (name,))


def _signed(value, bits):
    return value - (1 << bits) if value >> (bits - 1) else value


def _word(data, at):
    return data[at] | data[at + 1] << 8


def _bme280(data):
    """Pressure in Pa, temperature in degrees C, relative humidity in %.

    data: registers 0xf7..0xfe, then 0x88..0xa1 and 0xe1..0xe7. Source: BME280 data sheet BST-BME280-DS002 rev 1.6,
    table 16 and section 4.2.3: its integer formulas, with 64 bits for the pressure.
    """
    if len(data) < _BME280_SAMPLE + _BME280_CONSTANTS:
        return [(None, None, None)]
    t = [_word(data, 8)] + [_signed(_word(data, at), 16) for at in (10, 12)]
    p = [_word(data, 14)] + [_signed(_word(data, at), 16) for at in range(16, 32, 2)]
    e1 = _BME280_SAMPLE + 26
    h = (
        data[33],
        _signed(_word(data, e1), 16),
        data[e1 + 2],
        _signed(data[e1 + 3], 8) * 16 + (data[e1 + 4] & 0x0F),
        _signed(data[e1 + 5], 8) * 16 + (data[e1 + 4] >> 4),
        _signed(data[e1 + 6], 8),
    )
    raw_p = data[0] << 12 | data[1] << 4 | data[2] >> 4
    raw_t = data[3] << 12 | data[4] << 4 | data[5] >> 4
    raw_h = data[6] << 8 | data[7]
    if raw_t == _NO_20_BITS:  # the two others need it
        return [(None, None, None)]
    one = (((raw_t >> 3) - (t[0] << 1)) * t[1]) >> 11
    two = (((((raw_t >> 4) - t[0]) * ((raw_t >> 4) - t[0])) >> 12) * t[2]) >> 14
    fine = one + two
    pressure = None if raw_p == _NO_20_BITS else _bme280_pressure(raw_p, fine, p)
    humidity = None if raw_h == _NO_16_BITS else _bme280_humidity(raw_h, fine, h)
    return [(pressure, ((fine * 5 + 128) >> 8) / 100, humidity)]


def _bme280_pressure(raw, fine, p):
    one = fine - 128000
    two = one * one * p[5]
    two += (one * p[4]) << 17
    two += p[3] << 35
    one = ((one * one * p[2]) >> 8) + ((one * p[1]) << 12)
    one = (((1 << 47) + one) * p[0]) >> 33
    if one <= 0:  # no device has such constants: "avoid exception caused by division by zero"
        return None
    found = (((1048576 - raw) << 31) - two) * 3125
    found = found // one if found >= 0 else -(-found // one)  # as C divides
    one = (p[8] * (found >> 13) * (found >> 13)) >> 25
    two = (p[7] * found) >> 19
    return (((found + one + two) >> 8) + (p[6] << 4)) / 256


def _bme280_humidity(raw, fine, h):
    x = fine - 76800
    slope = ((((x * h[5]) >> 10) * (((x * h[2]) >> 11) + 32768)) >> 10) + 2097152
    x = (((raw << 14) - (h[3] << 20) - h[4] * x + 16384) >> 15) * ((slope * h[1] + 8192) >> 14)
    x -= ((((x >> 15) * (x >> 15)) >> 7) * h[0]) >> 4
    return (max(0, min(x, 419430400)) >> 12) / 1024


def _max30101(data):
    """Red and infrared counts, 18 bits in 3 bytes each. data: registers 0x04..0x06 (write pointer, overflow counter,
    read pointer), then the FIFO. Source: MAX30101 data sheet 19-7740 rev 3, "FIFO (0x04-0x07)"."""
    if len(data) < 3:
        return []
    # Equal pointers are those of a full FIFO if points were lost. Our record then reads as many as were lost.
    count = min((data[0] - data[2]) % _MAX30101_POINTS + data[1], (len(data) - 3) // _MAX30101_BYTES)
    return [
        (_of_3_bytes(data, at), _of_3_bytes(data, at + 3))
        for at in range(3, 3 + count * _MAX30101_BYTES, _MAX30101_BYTES)
    ]


def _of_3_bytes(data, at):
    return data[at] << 16 | data[at + 1] << 8 | data[at + 2]


def _lsm6ds(data):
    """Gyroscope x, y, z, accelerometer x, y, z: words of the FIFO. data: registers 0x3a..0x3d (FIFO_STATUS1..4), then
    the FIFO. Source: LSM6DS3 data sheet DocID026899 rev 10, sections 9.56 to 9.59: the number of unread words, and the
    place in the pattern of the word that is next; their number is 0 also if the FIFO is full or has overrun."""
    if len(data) < _LSM6DS_HEAD:
        return []
    words = (len(data) - _LSM6DS_HEAD) // 2
    if not data[1] & _LSM6DS_FULL:
        words = min(data[0] | (data[1] & 0x0F) << 8, words)
    skip = -(data[2] | (data[3] & 0x03) << 8) % _LSM6DS_WORDS  # to the beginning of a point
    first = _LSM6DS_HEAD + 2 * skip
    size = 2 * _LSM6DS_WORDS
    return [
        tuple(_signed(_word(data, at + 2 * index), 16) for index in range(_LSM6DS_WORDS))
        for at in range(first, first + max(0, (words - skip) // _LSM6DS_WORDS) * size, size)
    ]
