# What the simulated bridge needs of the stand-ins, frozen: `.frozen/common` and `.frozen/esp8266` come first on the
# board's sys.path (sim/interpreters.py). The interpreter's own modules are untouched for anyone else.
package("common", files=("simboot.py", "simlink.py", "simi2c.py", "time.py", "select.py"))
package("esp8266", files=("machine.py", "network.py", "esp.py", "socket.py", "binascii.py"))
