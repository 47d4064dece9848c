"""`sim board FILE.py`: any MicroPython program on one virtual board, its pins joined as the file's WIRES say."""

import ast
import asyncio

from sim.mpy import frames, interpreters, sensors
from sim.mpy.bed import Bed
from sim.mpy.models import CAUSES
from sim.mpy.peripherals import Peripherals
from sim.mpy.sleep import Sleep
from sim.mpy.watchdog import Watchdog
from sim.root import ON_BOARDS
from sim.wires.chip import WATCHDOG_TICK_S


def read_literals(path):
    """Returns the file's module-level literals WIRES and BOARD: none if it is no Python, which the board will say.
    Raises: ValueError."""
    with open(path, encoding="utf-8") as source:
        try:
            tree = ast.parse(source.read(), str(path))
        except SyntaxError:
            return {}
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in ("WIRES", "BOARD"):
                try:
                    found[name] = ast.literal_eval(node.value)
                except ValueError:
                    raise ValueError(f"{path}: {name} must be a literal")
    return found


def parse_wires(text):
    """Parses `X1=X9,X2=X10`. Returns nets as tuples of pins."""
    nets = [tuple(pin.strip() for pin in part.split("=")) for part in text.split(",") if part.strip()]
    if any(len(net) < 2 or not all(net) for net in nets):
        raise ValueError(f"wires are written as X1=X9,X2=X10, not {text!r}")
    return nets


def normal_wires(wires, kind):
    """Normalizes WIRES of a file: pairs (or longer) of pin names or numbers."""
    prefix = {"rp2": "GP", "esp8266": ""}.get(kind, "")
    try:
        return [tuple(pin if isinstance(pin, str) else f"{prefix}{int(pin)}" for pin in net) for net in wires]
    except (TypeError, ValueError):
        raise ValueError('WIRES is a list of nets, e.g. [("X1", "X9"), ("X2", "X10")]')


async def run_board(path, model, wires, *, arguments=(), heap=None, interpreter=None, world=None, log=None):
    """Runs the program until it ends by itself; machine.reset() starts it again. Returns its exit status.

    Args: model: of models.py; world: of sim/wires/world_file.py, or None; log(who, text): what happens by it.
    """
    interpreter = interpreter or interpreters.find()
    bed = Bed()
    kind = model.kind
    board = bed.add_board("board", model.name, wires)
    if world is not None:
        taken = [pin for net in wires for pin in net]
        tell = lambda text: log("sensors", text)
        sensors.attach(bed, board, world.plan, taken=taken, log=tell, types=world.types)
    if kind != "esp8266":
        Peripherals(board, world, lambda text: log("board", text))
        Sleep(board, lambda seconds: reset(causes.deepsleep, seconds), lambda text: log("board", text))
    causes = CAUSES[kind]
    resets = []

    def reset(cause, off_s=0):
        watchdog.stop()
        resets.append((cause, off_s))
        board.kill()

    board.extras[frames.RESET] = lambda frame: reset(causes.reset)
    board.extras[frames.RESET_CAUSE] = lambda frame: board.link.reply(frame, cause)
    watchdog = Watchdog(board, lambda: reset(causes.watchdog), WATCHDOG_TICK_S if kind == "esp8266" else None)
    cause = causes.power_on
    try:
        while True:
            await board.start(
                lambda fd: interpreters.board_command(interpreter, model.name, fd, path, arguments, heap, ON_BOARDS)
            )
            status = await board.wait()
            if not resets:
                return status
            cause, off_s = resets.pop()
            if off_s is None:
                await asyncio.get_running_loop().create_future()  # it sleeps until Ctrl-C
            await asyncio.sleep(off_s)
    finally:
        bed.close()
        await asyncio.shield(bed.wait_closed())
