"""The cost of one authorization in the sidecar, and the cost of a million revoked codes.

`python -m tests.bench.sidecar`. The decision is timed in this process, as medians of interleaved rounds; seconds and
megabytes are those of a real sidecar that follows a real control plane with SQLite.
"""

import math
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx2

from authz_sidecar.authorize import Authorize
from authz_sidecar.contract.feed import Change, Kind
from authz_sidecar.contract.key_source import KeySource
from authz_sidecar.contract.verifier import Verifier
from authz_sidecar.revocations import Revocations
from tests.bench import targets
from tests.support.data.forging import RING, fresh, with_claims
from tests.support.data.million import code, many_revoked
from tests.support.services.sidecar import PATH, SidecarUnderTest
from tests.support.waiting import eventually

MILLION: Final = 1_000_000
TOKENS: Final = 500
ROUNDS: Final = 101
Question = dict[bytes, bytes]


def main() -> None:
    questions = [_question(number) for number in range(TOKENS)]
    print("| one question, in the sidecar | microseconds |")
    print("|---|---|")
    print(f"| judged, token known | {_known(questions, Revocations()):.1f} |")
    print(f"| judged, token seen for the first time (HS256) | {_first(questions):.0f} |", flush=True)
    print("\n| a million revoked codes | measured | target |")
    print("|---|---|---|")
    _print("judging, against the empty set", _ratio(questions), most=1.10, places=2)
    with tempfile.TemporaryDirectory() as name:
        _million(Path(name))


def _question(number: int) -> Question:
    now = int(time.time())
    token = with_claims(iat=now, exp=now + 3600, sub=f"bench{number:07d}", sid=f"session-{number:014d}")
    return {
        b"authorization": f"Bearer {token}".encode(),
        b"x-gate-path": PATH.encode(),
        b"x-gate-method": b"GET",
        b"x-gate-client": b"192.0.2.1",
        b"x-gate-user-agent": b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36",
    }


def _gate(revocations: Revocations) -> Callable[[Question], object]:
    return Authorize(Verifier(KeySource(RING)).verify, lambda _now: revocations).answer


def _microseconds(answer: Callable[[Question], object], questions: list[Question]) -> float:
    began = time.perf_counter()
    for question in questions:
        answer(question)
    return (time.perf_counter() - began) / len(questions) * 1e6


def _known(questions: list[Question], revocations: Revocations) -> float:
    answer = _gate(revocations)
    _microseconds(answer, questions)
    return statistics.median(_microseconds(answer, questions) for _ in range(ROUNDS))


def _first(questions: list[Question]) -> float:
    return statistics.median(_microseconds(_gate(Revocations()), questions) for _ in range(5))


def _ratio(questions: list[Question]) -> float:
    """Return the median ratio of pairs, measured in alternating order, since the first of a pair is slower."""
    now = time.time()
    many = _gate(Revocations(Change(Kind.CODE, code(i), True, None, now, now + i % 86_400) for i in range(MILLION)))
    none = _gate(Revocations())
    for answer in (many, none):
        _microseconds(answer, questions)
    ratios = [_microseconds(many, questions) / _microseconds(none, questions) for _ in range(ROUNDS)]
    turned = [_microseconds(none, questions) / _microseconds(many, questions) for _ in range(ROUNDS)]
    return math.sqrt(statistics.median(ratios) / statistics.median(turned))


def _million(folder: Path) -> None:
    with many_revoked(folder / "home", MILLION) as feed:
        settings = {"INTERNAL_API_KEY": feed.internal_key}
        began = time.monotonic()
        with SidecarUnderTest(folder, feed.socket, settings) as sidecar:
            _eventually_knows(sidecar, MILLION)
            _print("start of the process to a million in force, seconds", time.monotonic() - began, most=10, places=1)
            eventually(sidecar.state_file.exists, within=60)
            _print("memory, MB", sidecar.megabytes("VmRSS"), most=400)
            feed.begin_again_without(code(MILLION - 1))
            _print("longest answer while a second million is read, seconds", _longest_answer(sidecar), most=1, places=2)
            _eventually_knows(sidecar, MILLION - 1)
            _print("most memory ever, with a second snapshot beside it, MB", sidecar.megabytes("VmHWM"), most=400)
            eventually(lambda: b"another." in sidecar.state_file.read_bytes()[:100], within=60)
            sidecar.service.kill()
            began = time.monotonic()
            sidecar.start()
            _eventually_knows(sidecar, MILLION - 1)
            print(f"| restart from the state file, seconds | {time.monotonic() - began:.1f} | |", flush=True)


def _longest_answer(sidecar: SidecarUnderTest) -> float:
    """Ask until the second million is in force. nginx waits a second (nginx/locations/authorize.conf)."""
    let_go, longest, status = fresh(sub=code(MILLION - 1)), 0.0, 403
    while status != httpx2.codes.NO_CONTENT:
        began = time.monotonic()
        status, _ = sidecar.ask(let_go)
        longest = max(longest, time.monotonic() - began)
    return longest


def _print(what: str, measured: float, *, most: float, places: int = 0) -> None:
    verdict = targets.verdict(what, reached=measured <= most)
    print(f"| {what} | {measured:.{places}f} | {most:.{places}f}, {verdict} |", flush=True)


def _eventually_knows(sidecar: SidecarUnderTest, count: int) -> None:
    eventually(lambda: sidecar.health()["revocationCacheSize"] == count, within=60)


if __name__ == "__main__":
    targets.run(main)
