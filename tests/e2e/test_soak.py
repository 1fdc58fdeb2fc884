"""A short `make soak`: mixed load with disruptions; every response is checked."""

from pathlib import Path

import pytest

from tests.soak import memory, truth
from tests.soak.run import Plan, run
from tests.support.variants import short_or_long

PLAN = short_or_long(Plan(40, viewers=400), Plan(60))
MOST_GROWTH = 1.3  # in less than ten minutes caches are still filling


def test_under_mixed_load_no_verdict_is_wrong_nothing_fails_and_memory_does_not_grow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(truth, "TOLERANCE_SECONDS", 3.0)
    outcome = run(tmp_path / "soak", PLAN)
    print(outcome)  # noqa: T201  the table, shown by -s and on failure
    assert outcome.judge.wrong == []
    assert set(outcome.judge.answers) == {200, 401, 403, 410}
    assert outcome.changes.keys() >= {"revoked", "given back", "released", "closed", "opened"}
    assert memory.growth(outcome.settled, outcome.end) <= MOST_GROWTH
