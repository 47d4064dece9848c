import asyncio
import os
import subprocess
import sys
from pathlib import Path

from server.stores.default import FILE, default_store

ROOT = Path(__file__).resolve().parents[3]
WRITE = """
import asyncio
from server.core.message import line
from server.stores.default import default_store

async def main():
    await store.put("a", (await store.claim("a")).owner, line(b"x"))

store = default_store()
asyncio.run(main())
"""


def test_default_store_is_a_file_in_the_current_folder_which_the_end_of_the_process_closes():
    subprocess.run([sys.executable, "-c", WRITE], env={"PYTHONPATH": str(ROOT)}, check=True, timeout=60)
    assert os.path.exists(FILE) and not os.path.exists(FILE + "-wal")
    store = default_store()
    assert asyncio.run(store.claim("a")).lines == [b"x"]
    store.close()


def test_default_store_of_micropython_is_in_memory(micropython64):
    program = "from server.stores.default import default_store; print(type(default_store()).__name__)"
    environment = {"MICROPYPATH": f"{ROOT}:.frozen"}
    done = subprocess.run([micropython64, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout == "MemoryStore\n", done.stderr
