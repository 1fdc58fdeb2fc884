"""Receipts: an edge has in force what the slowest of its live sidecars has."""

import pytest

from authz_sidecar.contract.feed import Cursor
from control_plane.revocations.edges import LIVE_SECONDS, Instance, Receipts
from tests.support.data.forging import NOW

NORTH_1, NORTH_2, SOUTH = Instance("north", "1"), Instance("north", "2"), Instance("south", "1")


def at(n: int) -> Cursor:
    return Cursor("e1", n)


def acknowledged(receipts: Receipts, now: float = NOW) -> dict[str, int]:
    return {state.name: state.cursor.n for state in receipts.states(now)}


def test_an_edge_has_what_the_slowest_of_its_live_sidecars_has() -> None:
    receipts = Receipts()
    receipts.record_receipt(NORTH_1, at(7), NOW)
    receipts.record_receipt(NORTH_2, at(5), NOW)
    receipts.record_receipt(SOUTH, at(9), NOW)
    assert acknowledged(receipts) == {"north": 5, "south": 9}
    assert [state.live_instances for state in receipts.states(NOW)] == [2, 1]


def test_a_sidecar_that_is_silent_for_ninety_seconds_no_longer_counts() -> None:
    receipts = Receipts()
    receipts.record_receipt(NORTH_1, at(5), NOW)
    receipts.record_receipt(NORTH_2, at(7), NOW + LIVE_SECONDS)
    assert acknowledged(receipts) == {"north": 5}
    receipts.record_receipt(NORTH_2, at(7), NOW + LIVE_SECONDS + 1)
    assert acknowledged(receipts) == {"north": 7}
    receipts.take_unwritten()
    assert list(receipts._edges["north"]) == ["2"]


def test_a_silent_edge_keeps_its_last_receipt_and_has_no_live_sidecar() -> None:
    receipts = Receipts()
    receipts.record_receipt(NORTH_1, at(5), NOW)
    receipts.record_receipt(NORTH_2, at(7), NOW)
    receipts.take_unwritten()
    [state] = receipts.states(NOW + 1_000)
    assert (state.cursor.n, state.live_instances, state.heard_at) == (5, 0, NOW)


def test_a_sidecar_in_the_middle_of_a_snapshot_has_acknowledged_nothing() -> None:
    receipts = Receipts()
    receipts.record_receipt(NORTH_1, at(7), NOW)
    receipts.record_receipt(NORTH_2, Cursor("e1", 6, in_snapshot=True), NOW)
    assert acknowledged(receipts) == {"north": 0}


def test_receipts_of_another_epoch_are_ignored() -> None:
    receipts = Receipts()
    receipts.record_receipt(NORTH_1, at(7), NOW)
    receipts.record_receipt(SOUTH, Cursor("e2", 1), NOW)
    assert [(state.name, str(state.cursor)) for state in receipts.states(NOW)] == [("south", "e2.1")]


def test_the_lag_is_the_time_from_a_pushed_change_to_its_receipt_on_the_slowest_sidecar() -> None:
    receipts = Receipts()
    for who, seconds in ((NORTH_1, 0.25), (NORTH_2, 0.5)):
        receipts.record_receipt(who, at(4), NOW - 10)
        receipts.record_push(who, 5, NOW)
        receipts.record_receipt(who, at(5), NOW + seconds)
        receipts.record_receipt(who, at(5), NOW + 30)
    assert [state.lag for state in receipts.states(NOW)] == [0.5]


def test_the_lag_is_unknown_before_anything_was_pushed() -> None:
    receipts = Receipts()
    receipts.record_receipt(NORTH_1, at(4), NOW)
    assert [state.lag for state in receipts.states(NOW)] == [None]


def test_a_place_is_in_force_since_the_first_receipt_that_covers_it_on_the_last_sidecar() -> None:
    receipts = Receipts()
    for who, offset in ((NORTH_1, 0), (NORTH_2, 0.1)):
        for n in (4, 6, 6, 9):
            receipts.record_receipt(who, at(n), NOW + n + offset)
    assert [receipts.in_force_since("north", n) for n in (5, 6, 7)] == [NOW + 6.1, NOW + 6.1, NOW + 9.1]


@pytest.mark.parametrize(("edge", "n"), [("north", 3), ("north", 4), ("north", 5), ("unheard", 1)])
def test_the_time_in_force_is_unknown_if_it_was_not_observed(edge: str, n: int) -> None:
    receipts = Receipts()
    receipts.record_receipt(NORTH_1, at(4), NOW)
    assert receipts.in_force_since(edge, n) is None


def test_receipts_to_write_are_taken_once_unless_they_are_put_back() -> None:
    receipts = Receipts()
    receipts.record_receipt(NORTH_1, at(4), NOW)
    taken = receipts.take_unwritten()
    assert [heard.who for heard in taken] == [NORTH_1]
    assert receipts.take_unwritten() == []
    receipts.put_back(taken)
    assert receipts.take_unwritten() == taken
