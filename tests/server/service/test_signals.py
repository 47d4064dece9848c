"""Signals reach a loop, also one that takes none itself, as in Windows."""

import asyncio
import os
import signal

import pytest

from server.service.signals import on_signal
from tests.server.peer import within


@pytest.fixture(autouse=True)
def handlers():
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("takes_signals", [True, False])
def test_callback_is_called_in_the_loop(monkeypatch, takes_signals):
    async def main():
        loop, told = asyncio.get_running_loop(), asyncio.Event()
        if not takes_signals:

            def refuse(number, callback):
                raise NotImplementedError

            monkeypatch.setattr(loop, "add_signal_handler", refuse)
        on_signal(loop, "SIGTERM", told.set)
        os.kill(os.getpid(), signal.SIGTERM)
        await within(told.wait())

    asyncio.run(main())


def test_signal_that_the_system_has_not_is_none():
    on_signal(None, "SIGNONE", None)
