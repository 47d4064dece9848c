"""The applications of a run note what they leave unfinished."""

import asyncio

from sim.virtual.run import VirtualRun


def test_line_of_a_write_that_two_lives_of_the_server_left_is_excused_once():
    """Of the checker: seed 360 had a line less to excuse after the second kill, and more found than were missing."""
    run = VirtualRun(lines=5)
    job, ledger = run.job, run.ledger

    async def no_application():
        pass

    job._application = no_application
    job.open_store = lambda: None
    job.writing = "a line"
    for _ in range(2):  # the second life has begun no write when it is killed
        asyncio.run(job.server_main())
    assert ledger.unfinished == ["a line"]
