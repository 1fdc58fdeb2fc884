"""Moving windows: exact in time, and bounded for any number of keys."""

from control_plane.limits.moving_windows import Limit, MovingWindow

THREE_IN_TEN_SECONDS = Limit("tries", 3, 10)


def test_each_hit_expires_separately() -> None:
    window = MovingWindow(THREE_IN_TEN_SECONDS)
    assert [window.hit("a", now) for now in (0, 4, 8)] == [0, 0, 0]
    assert window.hit("a", 9) == 1
    assert window.hit("a", 10) == 0
    assert window.hit("a", 10) == 4


def test_refused_hits_are_not_counted() -> None:
    window = MovingWindow(THREE_IN_TEN_SECONDS)
    for now in (0, 0, 0, 9, 9, 9):
        window.hit("a", now)
    assert [window.hit("a", 10) for _ in range(4)] == [0, 0, 0, 10]


def test_reading_counts_nothing() -> None:
    window = MovingWindow(THREE_IN_TEN_SECONDS)
    assert {window.wait("a", 0) for _ in range(100)} == {0}
    assert len(window) == 0


def test_each_key_has_a_window_of_its_own() -> None:
    window = MovingWindow(THREE_IN_TEN_SECONDS)
    for _ in range(3):
        window.hit("a", 0)
    assert window.wait("a", 0) == 10
    assert window.wait("b", 0) == 0


def test_a_key_is_forgotten_with_its_last_hit() -> None:
    window = MovingWindow(THREE_IN_TEN_SECONDS)
    for number in range(1000):
        window.hit(str(number), number / 100)
    window.hit("last", 15)
    assert len(window) == 500


def test_many_keys_take_bounded_memory_and_evict_the_longest_idle() -> None:
    window = MovingWindow(THREE_IN_TEN_SECONDS, most_keys=100)
    for _ in range(3):
        window.hit("early", 0)
        window.hit("busy", 0)
    for number in range(99):
        window.hit(str(number), 1)
    assert len(window) == 100
    assert window.wait("early", 1) == 0
    assert window.wait("busy", 1) == 9
