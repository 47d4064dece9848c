"""How many bytes a step of a program reads, if that is computed of bytes read before. Loaded for the first such step.

steps.py has the bytes of it in a program, docs/sensor-bus.md, "Grammar", its text. Pure.
"""

from protocol import const
from sensor_bus.steps import OPERATOR_BYTES

BIG_ENDIAN = const(128)
# Operators of a computed size. grammar.py has their texts.
AND = const(0)
OR = const(1)
SHIFT_RIGHT = const(2)
SHIFT_LEFT = const(3)
MULTIPLY = const(4)
DIVIDE = const(5)
ADD = const(6)
SUBTRACT = const(7)
AT_MOST = const(8)
AT_LEAST = const(9)
ALIGN = const(10)
OF_BYTE = const(128)  # added to an operator


def computed(program, at, got):
    """Returns the size. Args: program; at: place of the size in it; got: as Steps.size."""
    offset, bits, most = program[at], program[at + 1], program[at + 2]
    big, bits = bits & BIG_ENDIAN, bits & 127
    count = (bits + 7) >> 3
    if offset + count > len(got):
        return most
    found = 0
    for index in range(count):
        if big:
            found = found << 8 | got[offset + index]
        else:
            found |= got[offset + index] << (index << 3)
    found &= (1 << bits) - 1
    at += 4
    for _ in range(program[at - 1]):
        operand = program[at + 1] | program[at + 2] << 8 | program[at + 3] << 16 | program[at + 4] << 24
        operator = program[at]
        if operator & OF_BYTE:
            operator &= 127
            operand = got[operand]
        found = _applied(operator, found, operand)
        at += OPERATOR_BYTES
    return max(0, min(found, most))


def _applied(operator, found, operand):
    if operator == AND:
        return found & operand
    if operator == OR:
        return found | operand
    if operator == SHIFT_RIGHT:
        return found >> operand
    if operator == SHIFT_LEFT:
        return found << operand
    if operator == MULTIPLY:
        return found * operand
    if operator == DIVIDE:
        return found // operand
    if operator == ADD:
        return found + operand
    if operator == SUBTRACT:
        return found - operand
    if operator == AT_MOST:
        return min(found, operand)
    if operator == AT_LEAST:
        return max(found, operand)
    return found - found % operand  # ALIGN
