"""What a process prints, line by line."""

import asyncio

LINE_LIMIT = 1 << 20  # of a StreamReader: a longer line comes in pieces
END_BYTES = 256  # of such a line, at least, come together: what it ends with is looked for


async def pass_on(stream, on_line):
    """Calls on_line(line) for each line, until the process has ended. What that raises goes to the loop's exception
    handler: the process must not stand still with a full pipe."""
    while data := await _piece(stream):
        try:
            on_line(data.decode(errors="replace").rstrip("\r\n"))
        except Exception as error:  # of whoever shows the line
            context = {"message": "a line of a program's output", "exception": error}
            asyncio.get_running_loop().call_exception_handler(context)


async def _piece(stream):
    try:
        return await stream.readuntil()
    except asyncio.IncompleteReadError as end:
        return end.partial
    except asyncio.LimitOverrunError as over:
        return await stream.readexactly(over.consumed - END_BYTES)
