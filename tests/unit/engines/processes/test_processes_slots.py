"""Tokens have no names: when new ones may be given after some were taken back."""

from collections.abc import Iterator

import pytest

from lightwork.engines.processes.link import WorkerLink
from lightwork.engines.processes.slots import Sent, Slot
from lightwork.protocols import Returned


@pytest.fixture
def link() -> Iterator[WorkerLink]:
    link = WorkerLink(0, birth={})
    yield link
    link.close()


def send(slot: Slot, task: int) -> Sent:
    """Note one task as a session does, and give its token."""
    sent = Sent(task, task + 1, tokens=not slot.rationed, probe=slot.rationed)
    slot.sent.append(sent)
    if sent.tokens and slot.link is not None:
        slot.link.add_tokens(1)
    return sent


def test_an_older_probe_does_not_end_a_later_rationing(link: WorkerLink) -> None:
    """Tasks 2 and 3 tell that the place of task 1 was passed, and nothing of the place of task 4.

    Else task 5 would get a token which the worker takes for task 4, that it has still to pass.
    """
    slot = Slot(0)
    slot.link = link
    send(slot, 0), send(slot, 1)
    link.take_tokens(1)  # the worker begins task 0
    assert slot.take_back() == Returned(0, 1, 2)
    send(slot, 2), send(slot, 3)
    slot.report(0, 1)
    slot.report(2, 1)
    assert send(slot, 4).tokens
    assert slot.take_back() == Returned(0, 4, 5)
    slot.report(3, 1)
    assert not send(slot, 5).tokens
    slot.report(5, 1)
    assert send(slot, 6).tokens
