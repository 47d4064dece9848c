"""server/service/collector.py: what is there at the start is left alone, and cycles are still found."""

import gc
import weakref

import pytest

from server.service.collector import settle


@pytest.fixture
def settled():
    before = gc.get_threshold()
    settle()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()


class Node:
    pass


def test_objects_of_the_start_are_not_looked_at(settled):
    assert gc.get_freeze_count() > 10000


def test_cycles_are_still_collected_without_being_asked(settled):
    first = Node()
    first.itself = first
    gone = weakref.ref(first)
    del first
    kept = []
    while gone() is not None and len(kept) < 1000000:
        kept.append(Node())
    assert gone() is None
