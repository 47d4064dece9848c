// Division, which the CPU lacks and libgcc leaves to the chip's ROM. As libgcc has it for such CPUs: the divisor is shifted
// up to the dividend, then comes a subtraction for each bit. Dividing by zero gives anything, after 32 bits.

    .text

// a2 / a3 -> a2, a2 % a3 -> a6. Uses a4, a5.
    .macro divide quotient
    movi a6, 0
    nsau a5, a2
    nsau a4, a3
    bgeu a5, a4, 3f
    sub a4, a4, a5
    ssl a4
    sll a3, a3
1:
    .if \quotient
    slli a6, a6, 1
    .endif
    bltu a2, a3, 2f
    sub a2, a2, a3
    .if \quotient
    addi a6, a6, 1
    .endif
2:  srli a3, a3, 1
    addi a4, a4, -1
    bnez a4, 1b
3:
    .if \quotient
    slli a6, a6, 1
    .endif
    bltu a2, a3, 4f
    sub a2, a2, a3
    .if \quotient
    addi a6, a6, 1
    .endif
4:
    .endm

    .align 4
    .global __umodsi3
__umodsi3:
    divide 0
    ret

    .align 4
    .global __udivsi3
__udivsi3:
    divide 1
    mov a2, a6
    ret

    .align 4
    .global __divsi3
__divsi3:
    xor a7, a2, a3
    abs a2, a2
    abs a3, a3
    divide 1
    mov a2, a6
    bgez a7, 1f
    neg a2, a2
1:  ret
