"""The pseudocode of FIFO records (resp.c.c), run by JavaScript as raftjs runs it, gives what our decoders give."""

import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from sensor_bus.decoders import rows_of
from tests.peers.processes import ROOT

FILES = (ROOT / "sensor_bus" / "types.json", ROOT / "tests" / "sensor_bus" / "DeviceTypeRecords.json")
COUNT = 60

# What raftjs does: a declaration is `let`, `next` ends a data point, `out.x = v` adds v to the attribute x.
RUN = r"""
const {code, names, buffers} = JSON.parse(require("fs").readFileSync(0, "utf8"));
const toInt16 = (lo, hi) => { const u = (hi << 8) | lo; return u & 0x8000 ? u - 0x10000 : u; };
const js = code.replace(/\bint\s+(\w+)=([^;]*);/g, "let $1=Math.trunc($2);").replace(/\bnext\b/g, "");
const body = new Function("buf", "out", "toInt16", js);
console.log(JSON.stringify(buffers.map((buf) => {
    const found = Object.fromEntries(names.map((name) => [name, []]));
    const out = new Proxy({}, { set(_, name, value) { found[name].push(value); return true; } });
    body(buf, out, toInt16);
    return names.map((name) => found[name]);
})));
"""


def buffers(name, size, own):
    generator = random.Random(f"{name} {own}")
    for _ in range(COUNT):
        data = bytearray(generator.randbytes(size))
        if name == "LSM6DS":
            data[1] = generator.choice((0, 0, 0x10, 0x20, 0x40) if own else (0, 0, 0x10))
            data[3] = 0
        elif own and generator.randrange(2):  # either there are points, or it is full and points were lost
            data[0], data[1], data[2] = 5, generator.randrange(32), 5
        else:
            points, data[1], data[2] = generator.randrange(17 if own else 9), 0, generator.randrange(32)
            data[0] = (data[2] + points) % 32
        yield bytes(data)


@pytest.mark.parametrize("own", (True, False), ids=("own", "published"))
@pytest.mark.parametrize("name", ("LSM6DS", "MAX30101"))
def test_the_pseudocode_gives_what_the_decoder_gives(name, own, missing_tool):
    node = shutil.which("node")
    if node is None:
        missing_tool("there is no node (JavaScript) on this machine")
    resp = json.loads(Path(FILES[0 if own else 1]).read_bytes())["devTypes"][name]["devInfoJson"]["resp"]
    given = list(buffers(name, resp["b"], own))
    names = [attribute["n"] for attribute in resp["a"]]
    request = {"code": resp["c"]["c"], "names": names, "buffers": [list(data) for data in given]}
    done = subprocess.run([node, "-e", RUN], input=json.dumps(request), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    for data, columns in zip(given, json.loads(done.stdout)):
        rows = rows_of(resp["c"]["n"], data)
        if not own and name == "LSM6DS":  # the published one leaves the sign to who gets the words
            columns = [[value - 0x10000 if value & 0x8000 else value for value in column] for column in columns]
        assert [list(row) for row in zip(*columns)] == [list(row) for row in rows]
