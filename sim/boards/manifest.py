# What the simulated bridge needs of the stand-ins, frozen as `.frozen/esp8266/..`, which comes first on the board's
# sys.path (sim/interpreters.py). The interpreter's own modules are untouched for anyone else.
package("esp8266", files=("simboot.py", "simchip.py", "simchip_more.py", "binascii.py"))
