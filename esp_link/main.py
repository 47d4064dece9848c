"""What the ESP8266 imports to run the bridge: docs/architecture.md.

The program is imported as a whole before it runs. While a module's own lines run MicroPython keeps an object for each
of its functions, beside the function: 1.7 KB of the bridge's heap, if its lines were those that run it.
"""

from esp_link.program import run

run()
