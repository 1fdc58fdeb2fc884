"""An origin outage in mid-stream with a restart of nginx; viewers keep requesting."""

from pathlib import Path

from tests.soak.origin_outage import run
from tests.support.variants import short_or_long

SECONDS = short_or_long(20, 60)


def test_cached_files_play_and_the_rest_is_502_during_the_outage_and_all_recovers_afterwards(tmp_path: Path) -> None:
    seen = run(tmp_path / "outage", SECONDS, print)
    assert seen.wrong == []
    assert set(seen.kept) == {200}
    assert set(seen.not_kept) == {502}
