"""The types of devices that there are models of."""

from sim.wires.sensors.bme280 import BME280
from sim.wires.sensors.expander import PCA9535
from sim.wires.sensors.humidity import AHT20, SHT31, SHT40
from sim.wires.sensors.lsm6ds import LSM6DS
from sim.wires.sensors.mux import PCA9548A
from sim.wires.sensors.thermometers import MCP9808, TMP117

TYPES = {
    kind.__name__: kind
    for kind in (AHT20, BME280, LSM6DS, MCP9808, PCA9535, PCA9548A, SHT31, SHT40, TMP117)
}
