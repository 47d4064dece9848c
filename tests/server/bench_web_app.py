"""The application that reads all lines while `bench_web.py` measures the server."""


async def read(conn):
    async for _ in conn.lines(ahead=63):
        pass
