"""The cost of the gate: requests per second and added latency, compared with nginx without it and with alternatives.

`make bench`, or `python -m tests.bench.gate [--seconds 1] [--rounds 25]`. Needs wrk. The load generator shares the
machine's cores, so only the ratios within one run are meaningful; rounds are interleaved in alternating order, and
medians are printed.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx2

from tests.bench import contenders, report, targets
from tests.bench.contenders import CannotRun, Contender, Ground
from tests.bench.load import FULL, MODERATE, Load
from tests.bench.report import ReportResult
from tests.support.data.tokens import Minter
from tests.support.services.stack import StackUnderTest

TOKENS = 500
_MODERATE_EVERY = 4  # rounds, since latencies vary far less than throughput
FILES = {"1 KB": 1_024, "750 KB": 768_000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=1, help="of each run")
    parser.add_argument("--rounds", type=int, default=25)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        running = StackUnderTest(folder / "home", nginx_workers="auto")
        path, load = _prepare(folder, running, arguments.seconds)
        with _started(Ground(running, folder)) as (present, missing):
            for contender in present:
                _check(contender, f"{path}/{_file_name('1 KB')}", load.tokens[0])
            seen = {file: _measure(file, path, present, load, arguments.rounds) for file in FILES}
    print("\n".join([report.HEAD, *(report.rows(file, present, seen[file]) for file in FILES), *missing, ""]))
    print(f"{FULL} connections; latencies with {MODERATE}; {TOKENS} different tokens; medians of {arguments.rounds}\n")
    print(report.reached(seen), flush=True)


def _prepare(folder: Path, running: StackUnderTest, seconds: int) -> tuple[str, Load]:
    event_id, minter = str(uuid4()), Minter(running.home)
    stream = running.streams / event_id
    stream.mkdir(parents=True)
    for name, size in FILES.items():
        (stream / _file_name(name)).write_bytes(os.urandom(size))
    tokens = [minter.token(event_id, sub=f"bench{i:07d}", sid=f"session-{i:014d}") for i in range(TOKENS)]
    load = Load(folder, tokens, seconds)
    load.prepare()
    return f"/streams/{event_id}", load


@contextmanager
def _started(ground: Ground) -> Iterator[tuple[list[Contender], list[str]]]:
    """Start all contenders that can run here; yield them, and table rows for the others."""
    present: list[Contender] = []
    missing: list[str] = []
    try:
        for name, make in contenders.ALL.items():
            try:
                present.append(make(ground))
            except CannotRun as error:
                missing.append(report.absent(name, str(error)))
                continue
            for service in present[-1].services:
                service.start()
                service.wait_ready()
        yield present, missing
    finally:
        for contender in reversed(present):
            for service in reversed(contender.services):
                service.stop()


def _check(contender: Contender, path: str, token: str) -> None:
    """Check that it serves a request with a token, and one without a token only if it has no gate."""
    with httpx2.Client(base_url=contender.url) as client:
        admitted = client.get(path, headers={"Authorization": f"Bearer {token}"})
        stranger = client.get(path)
    assert (admitted.status_code, len(admitted.content)) == (200, FILES["1 KB"]), contender.name
    assert stranger.status_code == contender.stranger_sees, f"{contender.name}: {stranger.status_code}"


def _measure(file: str, path: str, present: list[Contender], load: Load, rounds: int) -> dict[str, ReportResult]:
    seen = {contender.name: ReportResult() for contender in present}
    target = f"{path}/{_file_name(file)}"
    for turn in range(rounds):
        for contender in present[:: -1 if turn % 2 else 1]:
            print(f"{file}, round {turn + 1}: {contender.name}", file=sys.stderr, flush=True)
            seen[contender.name].full.append(load.run(contender.url, target, FULL))
            if turn % _MODERATE_EVERY == 0:
                seen[contender.name].moderate.append(load.run(contender.url, target, MODERATE))
    return seen


def _file_name(name: str) -> str:
    return name.replace(" ", "-") + ".ts"


if __name__ == "__main__":
    targets.run(main)
