"""Start the load processes together and merge their results."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

_PROCESSES = 2
_CONNECTIONS = 32  # per process
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class CrowdOutcome:
    """Sorted seconds from due time to response, responses per second, statuses, and the bodies of the responses."""

    took: Sequence[float]
    rate: float
    statuses: Counter[str]
    bodies: Sequence[Any]

    def milliseconds(self, of_a_hundred: int) -> float:
        """Return the percentile of the response times, in milliseconds."""
        return self.took[-(-len(self.took) * of_a_hundred // 100) - 1] * 1000


def crowd(url: str, what: str, items: Sequence[str], rate: float = 0.0) -> CrowdOutcome:
    parts = urlsplit(url)
    job = {"host": parts.hostname, "port": parts.port, "connections": _CONNECTIONS, "what": what}
    shares = [items[number::_PROCESSES] for number in range(_PROCESSES)]
    running = [_start(job | {"items": share, "rate": rate / _PROCESSES}) for share in shares]
    for process in running:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in running:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    return _merge([_finish(process) for process in running])


def _start(job: dict[str, Any]) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "tests.bench.doors_load"]
    process = subprocess.Popen(argv, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    process.stdin.write(json.dumps(job) + "\n")
    process.stdin.flush()
    return process


def _finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout
    printed = process.stdout.read()
    assert process.wait(60) == 0, "a process of the crowd failed"
    process.stdout.close()
    seen: dict[str, Any] = json.loads(printed)
    return seen


def _merge(parts: Sequence[dict[str, Any]]) -> CrowdOutcome:
    took = sorted(seconds for part in parts for seconds in part["took"])
    lasted = max(part["ended"] for part in parts) - min(part["began"] for part in parts)
    statuses: Counter[str] = Counter()
    for part in parts:
        statuses.update(part["statuses"])
    return CrowdOutcome(took, len(took) / lasted, statuses, [body for part in parts for body in part["bodies"]])
