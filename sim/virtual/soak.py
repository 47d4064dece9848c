"""`sim soak`: many seeds on all cores. Each is a run of its own, under faults that the seed chooses."""

import json
import multiprocessing
import random
import signal
import sys
from collections import Counter, namedtuple

from sim.root import COMMAND
from sim.virtual.apps import Pace
from sim.virtual.costs import PLACEHOLDERS
from sim.virtual.faults import FAULTS
from sim.virtual.run import VirtualRun

LINE_BYTES = (12, 50, 50, 200, 1100, 2500)
SHOW_EVERY = 20
NAMED = 5  # failed seeds that are named while the others play
# A run takes seconds of the processor. After this many, a program in it loops without virtual time passing.
SPIN_S = 300

# Both ends at once, or one of them slowly; all writes wait, some, or none.
WAIT_EVERY = (1, 10, 10, 1000)
INTERVALS_S = (0.0, 0.0, 0.0, 0.02, 0.5)
DELAYS_MS = (2, 2, 20, 200)

# In half of the seeds these carry messages both ways beside the lines.
CHANNELS = (20, 21)
# In half of the seeds the client asks on the first one and the server on the second, with and without the others.
REQUESTS = (30, 31)

Case = namedtuple("Case", "seed lines size counts pace delay_ms channels requests", defaults=((), ()))
Outcome = namedtuple("Outcome", "case good why injected seconds")


def case_of(seed, lines, size, names):
    """Returns the case of this seed. Args: size: bytes a line, or None; names: faults that it may choose from."""
    chance = random.Random(f"{seed} soak")
    counts = {name: chance.choice((0, 1, 2)) for name in names}
    size = size or max(12, chance.choice(LINE_BYTES))
    most = lines // 2  # a fault waits for a line since the previous fault
    for name in chance.sample(sorted(counts), len(counts)):
        if sum(counts.values()) > most:
            counts[name] = 0
    pace = Pace(chance.choice(WAIT_EVERY), chance.choice(INTERVALS_S), chance.choice(INTERVALS_S))
    counts = {name: count for name, count in counts.items() if count}
    delay_ms = chance.choice(DELAYS_MS)
    channels = chance.choice(((), CHANNELS))
    return Case(seed, lines, size, counts, pace, delay_ms, channels, chance.choice(((), REQUESTS)))


def replay(case):
    """Returns the command that plays a case again."""
    faults = ",".join(f"{name}={count}" for name, count in case.counts.items())
    channels = "".join(
        f" --{name} {','.join(map(str, numbers))}"
        for name, numbers in (("channels", case.channels), ("requests", case.requests))
        if numbers
    )
    return (
        f"{COMMAND} run --bed virtual --seed {case.seed} --lines {case.lines} --line-bytes {case.size}"
        f" --delay-ms {case.delay_ms} --pace {','.join(map(str, case.pace))}{channels} --faults {faults} --trace"
    )


class Spins(KeyboardInterrupt):
    """Raised at any point of the run: asyncio keeps any other exception in a task."""


def _spins(signal_number, frame):
    code = frame.f_code
    raise Spins(f"no end after {SPIN_S} s of processor time, in {code.co_filename}:{frame.f_lineno} {code.co_name}")


def play(case):
    """Plays the case in this process. Returns its Outcome."""
    signal.signal(signal.SIGVTALRM, _spins)
    signal.setitimer(signal.ITIMER_VIRTUAL, SPIN_S)
    try:
        return _play(case)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def run_of(case):
    """Returns the run that the command of `replay` plays."""
    costs = PLACEHOLDERS._replace(delay_s=case.delay_ms / 1000)
    return VirtualRun(
        lines=case.lines, size=case.size, seed=case.seed, counts=case.counts, pace=case.pace, costs=costs,
        channels=case.channels, requests=case.requests,
    )  # fmt: skip


def _play(case):
    one = run_of(case)
    try:
        one.run()
        why = None if one.good else one.failure or "the promise was broken"
    except (Exception, Spins) as error:  # from the simulator, or passed on by a program: a violation in any case
        why = f"{type(error).__name__}: {error}"
    return Outcome(case, why is None, why, one.faults.injected, one.seconds)


def soak(cases, *, fail_fast=False, processes=None, show=None):
    """Plays the cases. Returns (outcomes of violations, faults injected by name, virtual seconds, cases played)."""
    violations, injected, seconds, played = [], Counter(), 0.0, 0
    with multiprocessing.Pool(processes) as pool:
        for outcome in pool.imap_unordered(play, cases):
            played += 1
            injected.update(outcome.injected)
            seconds += outcome.seconds
            if not outcome.good:
                violations.append(outcome)
            if show is not None:
                show(played, len(cases), violations)
            if violations and fail_fast:
                pool.terminate()
                break
    return sorted(violations, key=lambda outcome: outcome.case.seed), injected, seconds, played


def parse_names(text):
    """Parses `all`, or names of faults with commas. Raises: ValueError."""
    names = list(FAULTS) if text == "all" else [name for name in text.split(",") if name]
    unknown = [name for name in names if name not in FAULTS]
    if unknown:
        raise ValueError(f"unknown fault {unknown[0]!r}; this bed knows {', '.join(FAULTS)}")
    return names


def parse_seeds(text):
    """Parses `A:B`: the range from A up to and not including B. Raises: ValueError."""
    first, colon, end = text.partition(":")
    if not colon or not first.isdigit() or not end.isdigit() or int(first) >= int(end):
        raise ValueError(f"seeds {text!r}: write A:B for the seeds from A up to, not including, B")
    return range(int(first), int(end))


def run(options):
    """`sim soak`. Returns the exit status."""
    names = parse_names(options.faults)
    cases = [case_of(seed, options.lines, options.line_bytes, names) for seed in parse_seeds(options.seeds)]

    def show(played, total, violations):
        if not options.quiet and (played % SHOW_EVERY == 0 or played == total):
            named = "".join(f" {outcome.case.seed}" for outcome in violations[:NAMED])
            said = f"\r{played}/{total} seeds, {len(violations)} violations{named} "
            print(said, end="", file=sys.stderr, flush=True)

    violations, injected, seconds, played = soak(cases, fail_fast=options.fail_fast, show=show)
    if not options.quiet:
        print(file=sys.stderr)
    for outcome in violations:
        print(f"seed {outcome.case.seed}: {outcome.why}\n  {replay(outcome.case)}", file=sys.stderr)
    if not options.json:
        for name, count in sorted(injected.items()):
            print(f"{name:18} {count:8}")
        print(f"{played} seeds, {sum(injected.values())} faults, {seconds:.0f} virtual seconds")
        print(f"{len(violations)} violations")
    print(
        json.dumps(
            {
                "seeds": played,
                "violations": len(violations),
                "faults_injected": sum(injected.values()),
                "virtual_seconds": round(seconds),
                "failed_seeds": [outcome.case.seed for outcome in violations],
            }
        ),
        flush=True,
    )
    return 1 if violations else 0
