"""How the commands ask the running server for its buses: the way of an AskedBus, over the admin socket."""

from errno import EHOSTDOWN, EPROTO

from remote_i2c.asked import AskedBus
from remote_i2c.errors import LINK, BusError
from remote_i2c.providers import CLIENT, make_bus
from server.service.admin import ANSWER_S, answer_from


def bus_maker(path):
    """Returns a function as make_bus (remote_i2c/providers.py), for a command beside the server that has this admin
    socket: a bus of a client is that server's."""

    def make(spec, name):
        return AskedBus(spec, asker(path)) if spec.startswith(CLIENT) else make_bus(spec, name)

    return make


def asker(path):
    """Returns the coroutine function (request) of an AskedBus. It raises BusError. Args: path: of the admin socket."""

    async def ask(request):
        try:
            answer = await answer_from(path, {"do": "gateway", "gateway": "i2c", "request": request}, ANSWER_S)
        except (ConnectionRefusedError, FileNotFoundError):
            raise _away(
                f"no server runs here: there is nobody at {path}. Start it with pb-link serve, or name the settings of "
                "the one that runs: --config FILE"
            )
        except PermissionError:
            raise _away(f"the server at {path} is another user's: run this as the user who runs the server")
        except TimeoutError:
            raise _away(f"the server at {path} has not answered in {ANSWER_S:g} s: is it stopped?")
        except ConnectionError:
            raise _away(f"the server at {path} ended before it answered: the call may have been carried out")
        except OSError as error:
            raise _away(f"the server at {path} cannot be asked: {error.strerror or error}")
        if "error" in answer:
            raise BusError(EPROTO, f"the server at {path}: {answer['error']}", place=LINK)
        return answer

    return ask


def _away(text):
    return BusError(EHOSTDOWN, text, place=LINK)
