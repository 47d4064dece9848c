// As ports/esp8266/qstrdefsport.h: of sys.path.
Q(/)
Q(/lib)
