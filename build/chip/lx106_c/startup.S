// From reset to main(): the emulator has loaded all sections to where they are used, and zeroed the memory.

    .section .reset, "ax"
    .global reset
reset:
    j 1f
    .align 4
    .literal_position
    .align 4
1:
    movi a0, 0x20  // PS: no exception in progress, user mode, all interrupts on
    wsr a0, ps
    rsync
    movi a1, _stack_end - 16
    movi a0, 0
    call0 main
    mov a3, a2
    movi a2, 1  // exit
    simcall
1:  j 1b

// Any exception: its cause and place, in the registers of the call, for `fault` to print.
    .section .vectors, "ax"
    .org 0x0
    .literal_position
    .org 0x10
    j caught
    .org 0x30
    j caught
    .org 0x50
    j caught
    .org 0x70
    j caught
    .org 0x100
caught:
    rsr a2, exccause
    rsr a3, epc1
    rsr a4, excvaddr
    movi a1, _stack_end - 16
    movi a0, fault
    jx a0
