"""The opening of an event: all codes of an evening redeemed at once, then the heartbeats of all viewers.

`python -m tests.bench.doors [--codes 5000] [--sessions 10000] [--database sqlite]`. Fails if one response was wrong, or
if the database does not contain exactly the granted sessions with a heartbeat of each.
"""

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Final

import jwt

from control_plane.clock import utc_now
from tests.bench import targets
from tests.bench.crowd import CrowdOutcome, crowd
from tests.bench.doors_database import BenchDatabase
from tests.bench.doors_stack import DATABASES, Operation, in_operation
from tests.support.clients.people import Organiser

_WANTED_A_SECOND: Final = {"sqlite": 450, "postgresql": 800}  # on two cores, shared with the load generator and nginx
_WANTED_P99_MS: Final = 100
_HEARTBEAT_SECONDS: Final = 30  # how often the portal's players send one
_BATCH: Final = 1000


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--codes", type=int, default=5_000)
    parser.add_argument("--sessions", type=int, default=10_000)
    parser.add_argument("--database", choices=DATABASES, action="append")
    chosen = parser.parse_args(arguments)
    print("| doors open | database | requests | a second | p50, ms | p99, ms | target |")
    print("|---|---|---|---|---|---|---|")
    for database in chosen.database or DATABASES:
        with tempfile.TemporaryDirectory() as name, in_operation(Path(name) / "home", database) as operation:
            _measure(operation, chosen.codes, chosen.sessions, _WANTED_A_SECOND[database])


def _measure(operation: Operation, codes: int, sessions: int, wanted: int) -> None:
    with ExitStack() as stack:
        organiser = stack.enter_context(closing(Organiser(operation.url)))
        bench_database, event_id = BenchDatabase(operation.home), organiser.create_event()
        sizes = [min(_BATCH, codes - start) for start in range(0, codes, _BATCH)]
        made = [ticket.code for size in sizes for ticket in organiser.tickets(event_id, size)]
        redeemed, tokens = _redeem(operation, bench_database, made)
        reached = redeemed.rate >= wanted
        _print("codes redeemed", operation, redeemed, f"{wanted}/s", reached=reached)
        tokens += bench_database.add_sessions(event_id, sessions - codes)
        heard = _beat(operation, bench_database, tokens)
        reached = heard.milliseconds(99) < _WANTED_P99_MS
        what = f"heartbeats of {len(tokens):,} sessions"
        _print(what, operation, heard, f"p99 < {_WANTED_P99_MS} ms", reached=reached)


def _redeem(
    operation: Operation, bench_database: BenchDatabase, codes: Sequence[str]
) -> tuple[CrowdOutcome, list[str]]:
    """Return the outcome, and a token of each session."""
    seen = crowd(operation.url, "redeem", codes)
    assert seen.statuses == {"200": len(codes)}, seen.statuses
    tokens: list[str] = [body["playbackToken"] for body in seen.bodies]
    claims = [jwt.decode(token, options={"verify_signature": False}) for token in tokens]
    assert sorted(claim["sub"] for claim in claims) == sorted(codes)
    assert bench_database.live_sessions() == {claim["sid"] for claim in claims}
    return seen, tokens


def _beat(operation: Operation, bench_database: BenchDatabase, tokens: Sequence[str]) -> CrowdOutcome:
    """Send one heartbeat of each session, spread evenly over one heartbeat interval."""
    began = utc_now()
    seen = crowd(operation.url, "beat", tokens, len(tokens) / _HEARTBEAT_SECONDS)
    assert seen.statuses == {"200": len(tokens)}, seen.statuses
    assert [body["ok"] for body in seen.bodies] == [True] * len(tokens)
    operation.stop_control_planes()  # this writes all pending heartbeats
    assert bench_database.count_seen_since(began) == len(tokens)
    return seen


def _print(what: str, operation: Operation, seen: CrowdOutcome, target: str, *, reached: bool) -> None:
    figures = f"{len(seen.took):,} | {seen.rate:,.0f} | {seen.milliseconds(50):.1f} | {seen.milliseconds(99):.1f}"
    verdict = targets.verdict(f"{what}, {operation.database}", reached=reached)
    print(f"| {what} | {operation.database} | {figures} | {target}, {verdict} |", flush=True)


if __name__ == "__main__":
    targets.run(main)
