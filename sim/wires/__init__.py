"""Models of the world around the boards' programs, for both beds. Nothing here knows a bed, a process or a clock.

nets      pins and the nets that join them, in wired-AND logic     wiring    how the link's two boards are joined
wire      the I2C bus: a transfer is a generator, of pieces        pieces    what such a transfer is made of
i2c_bits, i2c_bit_target   the same transfer bit by bit            on_board  the rules of an I2C target
chip      the ESP8266 as a part    lwip  its sockets, in numbers   wifi      networks, and a station that joins them
dns       a name server's answers
"""
