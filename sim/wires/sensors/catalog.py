"""The types of devices that there are models of."""

from sim.wires.sensors.adxl313 import ADXL313
from sim.wires.sensors.as5600 import AS5600
from sim.wires.sensors.bme280 import BME280
from sim.wires.sensors.converters import ADS1015, ADS1115, INA219
from sim.wires.sensors.expander import PCA9535
from sim.wires.sensors.humidity import AHT20, SHT31, SHT40
from sim.wires.sensors.light import VCNL4040, VEML7700
from sim.wires.sensors.lps25 import LPS25
from sim.wires.sensors.lsm6ds import LSM6DS
from sim.wires.sensors.max30101 import MAX30101
from sim.wires.sensors.mux import PCA9548A
from sim.wires.sensors.pca9685 import PCA9685
from sim.wires.sensors.thermometers import MCP9808, TMP117
from sim.wires.sensors.vl53l0x import VL53L0X
from sim.wires.sensors.vl53l4cd import VL53L4CD

_KINDS = (
    ADS1015, ADS1115, ADXL313, AHT20, AS5600, BME280, INA219, LPS25, LSM6DS, MAX30101, MCP9808, PCA9535, PCA9548A,
    PCA9685, SHT31, SHT40, TMP117, VCNL4040, VEML7700, VL53L0X, VL53L4CD,
)  # fmt: skip
TYPES = {kind.__name__: kind for kind in _KINDS}
