"""What the applications of a run do with requests, and that the checker sees what goes wrong with them: with one of the
defences of requests switched off at a time, by patching, a run reports what that defence is against, and without that
nothing.
"""

import pytest

from pb_link import requests as client_requests
from protocol.channel_records import ANSWER
from protocol.errors import LinkDown, RequestTimeout
from server.core import requests as server_requests
from server.core.channel import Channel as ServerChannel
from sim.virtual import request_work
from sim.virtual.request_ledger import ANSWERED, CANCELLED, CLIENT, FAILED, GONE, LONG_MS, SERVER, TIMED_OUT
from sim.virtual.run import VirtualRun
from sim.virtual.soak import REQUESTS, case_of, run_of

LINES = 60
KILLS = ("server-kill", "server-restart", "client-kill", "tcp-reset", "slow-client", "slow-server")
BOTH = pytest.mark.parametrize("end", [CLIENT, SERVER])
MODULES = {CLIENT: client_requests, SERVER: server_requests}


def run_with(**arguments):
    run = VirtualRun(lines=LINES, requests=REQUESTS, **arguments)
    run.run()
    return run


def found(run):
    """What the checker found wrong with requests: name -> count, both ways together."""
    ways = run.job.works[-1].ledger.verdict()
    return {name: count for name in ways[0] for count in [sum(way[name] for way in ways)] if count} | {"good": run.good}


def seen(wanted, faults=KILLS, seeds=12):
    """Plays seeds until one reports what is wanted. Returns what was found instead, or None."""
    instead = []
    for seed in range(seeds):
        run = run_of(case_of(seed, LINES, 40, faults)._replace(channels=(), requests=REQUESTS, delay_ms=20))
        run.run()
        if not run.good and (found(run).get(wanted) or run.failure and wanted in run.failure):
            return None
        instead.append((found(run), run.failure))
    return instead


def test_requests_of_each_kind_are_asked_and_answered():
    run = run_with(counts={"tcp-reset": 2, "slow-server": 1, "server-kill": 1})
    assert run.good, run.failure
    assert run.result["client_to_server"]["sent"] == run.result["server_to_client"]["sent"] == 2 * LINES
    assert {ANSWERED, FAILED, TIMED_OUT, CANCELLED} <= set(run.result["requests"])
    ledger = run.job.works[0].ledger
    assert all(len(ledger.all_runs[end]) > LINES / 2 for end in (CLIENT, SERVER))


def test_plans_have_requests_of_each_kind():
    work = run_with().job.works[0]
    plans = [work.plan(end, number) for end in (CLIENT, SERVER) for number in range(500)]
    assert {plan.timeout_ms for plan in plans} == {LONG_MS, *request_work.LIMITS_MS}
    assert {plan.waits for plan in plans} == {True, False}
    assert {plan.cancel_s is None for plan in plans} == {True, False}
    assert {plan.way for plan in plans} == set(request_work.WAYS)
    assert {plan.pause_s for plan in plans} == set(request_work.PAUSES_S)


def test_more_requests_wait_at_once_than_the_client_has_places_for(monkeypatch):
    monkeypatch.setattr(request_work, "AT_ONCE", (30,))
    run = run_with(counts={"tcp-reset": 2})
    assert run.good, run.failure
    assert not all(call.ordered for call in run.job.works[0].ledger.calls[CLIENT])


def test_some_callers_end_and_some_requests_run_in_two_lives():
    gone = twice = 0
    for seed in range(80):
        run = run_of(case_of(seed, LINES, 40, KILLS)._replace(channels=(), requests=REQUESTS))
        run.run()
        assert run.good, run.failure
        gone += run.result["requests"].get(GONE, 0)
        twice += run.result["seen_by_two_lives"]
        if seed >= 11 and gone and twice:
            return
    raise AssertionError(f"{gone} callers ended, {twice} requests ran in two lives")


@pytest.mark.parametrize("requests", [(30,), (30, 30), (20, 30), (30, 31, 32)])
def test_channels_that_do_not_fit_are_refused(requests):
    with pytest.raises(ValueError, match="--requests takes two channels, for each end to ask on"):
        VirtualRun(lines=5, channels=(20,), requests=requests)


# Defences that are switched off.


def test_with_all_defences_nothing_is_reported():
    for seed in range(8):
        run = run_of(case_of(seed, LINES, 40, KILLS)._replace(channels=(), requests=REQUESTS, delay_ms=20))
        run.run()
        assert run.good, (run.failure, found(run))


def test_without_the_mark_in_the_store_a_handler_of_the_server_runs_twice(monkeypatch):
    monkeypatch.setattr(server_requests, "BEGUN", 0)
    assert not seen("duplicated")


def test_without_numbers_of_its_own_a_life_of_the_client_gets_answers_of_the_one_before(monkeypatch):
    """It ends while the server's handlers are busy with what it has asked."""
    original = client_requests.Requests.__init__

    def init(requests, *args):
        original(requests, *args)
        requests._number = 0

    def run():
        run = VirtualRun(lines=LINES, requests=REQUESTS)
        run.job.lazy_until[SERVER] = run.world.now + 10
        run.world.after(8, run.link.kill_client)
        run.world.after(8.5, run.link.start_client)
        run.run()
        return run

    monkeypatch.setattr(request_work, "PAUSES_S", (0,))
    assert run().good
    monkeypatch.setattr(client_requests.Requests, "__init__", init)
    assert found(run())["corrupted"]


@BOTH
def test_without_matching_by_number_answers_go_to_the_wrong_requests(monkeypatch, end):
    """Each answer is given to the request that waits longest. One that times out has its answer given to the next."""
    if end == CLIENT:

        def hand_out(requests):
            entry = requests._channel.front(client_requests.ticks_ms())
            if entry is not None:
                _give(requests, client_requests.call_of(entry), requests._channel.front_data())
                requests._accept()

    else:

        def hand_out(requests, number, message):
            _give(requests, message.kind & server_requests.CALL, message.data[4:])
            requests._use.changed.pulse()
            requests._gone.append(number)
            requests._at = number + 1

    monkeypatch.setattr(MODULES[end].Requests, "_hand_out", hand_out)
    assert not seen("corrupted")


def _give(requests, kind, data):
    waiting = [name for name, answer in requests._waiting.items() if answer is None]
    if kind and waiting:
        requests._waiting[waiting[0]] = (kind, data)


def test_without_remembering_what_it_has_begun_the_client_runs_again(monkeypatch):
    """It accepts a request when the answer has its place, and at times not then: as if the connection had ended."""
    original = client_requests.Requests._next

    def next_one(requests):
        accept, requests._accept = requests._accept, lambda: None
        data = original(requests)
        requests._accept = accept
        return data

    append = client_requests.Requests._append_answer
    told = []

    def append_answer(requests):
        append(requests)
        told.append(requests)
        if len(told) % 9:
            requests._accept()

    monkeypatch.setattr(client_requests.Requests, "_next", next_one)
    monkeypatch.setattr(client_requests.Requests, "_append_answer", append_answer)
    assert not seen("duplicated")


def test_without_a_look_at_the_lives_of_the_client_a_caller_waits_for_ever(monkeypatch):
    monkeypatch.setattr(server_requests.Requests, "_unread", lambda requests: True)
    assert not seen("not everything was delivered")


def test_without_the_answer_in_front_of_the_removal_a_caller_waits_for_ever(monkeypatch):
    """The request is removed, and then the answer is put."""
    original = server_requests.Requests._put

    async def put(requests, message, limit=None, store=None, answers=None):
        if answers is not None:
            use = requests._use
            await requests._client.perform(lambda: use.store.remove(use.client_id, use.state.owner, [answers]))
        return await original(requests, message, limit, store)

    monkeypatch.setattr(server_requests.Requests, "_put", put)
    assert not seen("not everything was delivered", ("server-kill",), 60)  # no seed below 35 kills it between the two


@BOTH
def test_without_the_text_of_the_exception_a_failure_says_something_else(monkeypatch, end):
    monkeypatch.setattr(MODULES[end], "failure_of", lambda error: b"it failed")
    assert not seen("untrue", ())


def test_without_looking_at_its_time_the_server_runs_what_nobody_waits_for(monkeypatch):
    """The handlers are busy for so long that a request cannot have been on its way all the time."""
    original = server_requests.Requests._begin

    async def begin(requests, store, number, message):
        await original(requests, store, number, message._replace(time=0))

    def run():
        run = VirtualRun(lines=LINES, requests=REQUESTS)
        run.job.works[0].at_once = LINES
        run.job.lazy_until[SERVER] = run.world.now + 60
        run.run()
        return run

    monkeypatch.setattr(request_work, "PAUSES_S", (0,))
    monkeypatch.setattr(client_requests, "MAX_REQUESTS", LINES)
    assert run().good
    monkeypatch.setattr(server_requests.Requests, "_begin", begin)
    assert found(run())["untrue"]


# What is called wrongly.


@BOTH
@pytest.mark.parametrize("error", [RequestTimeout, LinkDown])
def test_caller_that_is_told_too_much_is_noticed(monkeypatch, end, error):
    """Of an answer that has come: that none came in time; of a request that has run: that nothing was asked."""
    original = MODULES[end].result_of
    calls = []

    def result_of(answer, channel):
        calls.append(answer)
        if not len(calls) % 9:
            raise error
        return original(answer, channel)

    monkeypatch.setattr(MODULES[end], "result_of", result_of)
    run = run_with()
    assert not run.good and found(run)["untrue"]


@BOTH
def test_answer_that_is_altered_is_noticed(monkeypatch, end):
    original = MODULES[end].result_of
    monkeypatch.setattr(MODULES[end], "result_of", lambda answer, channel: original(answer, channel)[:-1] + b"?")
    run = run_with()
    assert not run.good and found(run)["corrupted"]


def test_answer_that_never_comes_is_noticed(monkeypatch):
    """The server drops every ninth one."""
    original = ServerChannel.store
    answers = []

    async def store(channel, put, limit=None):
        if put.answers is not None and put.message.kind == ANSWER:
            answers.append(put)
            if not len(answers) % 9:
                put.message = put.message._replace(data=bytes(4) + put.message.data[4:])
        await original(channel, put, limit)

    monkeypatch.setattr(ServerChannel, "store", store)
    run = run_with(timeout_s=30)
    assert not run.good and run.failure.startswith("not everything was delivered")
