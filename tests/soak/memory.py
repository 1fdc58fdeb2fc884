"""Resident memory of every process of a stack, from /proc; nginx's workers are numbered."""

from collections.abc import Mapping
from pathlib import Path

from tests.support.services.stack import StackUnderTest

_KIB = 1024


def resident_mebibytes(gate: StackUnderTest) -> dict[str, float]:
    pids = {name: pid for service in gate.services for name, pid in service.pids.items()}
    workers = Path(f"/proc/{pids['nginx']}/task/{pids['nginx']}/children").read_text().split()
    pids |= {f"nginx worker {turn}": int(pid) for turn, pid in enumerate(workers, 1)}
    return {name: _resident(pid) for name, pid in pids.items()}


def _resident(pid: int) -> float:
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["VmRSS"].split()[0]) / _KIB


def table(before: Mapping[str, float], after: Mapping[str, float], since: float) -> str:
    lines = [f"| process | at {since:.0f} s, MiB | at the end, MiB | ratio |", "|---|---|---|---|"]
    for name, end in after.items():
        begin = before.get(name)
        told = f"{begin:.1f} | {end:.1f} | {end / begin:.2f}" if begin else f"- | {end:.1f} | new"
        lines.append(f"| {name} | {told} |")
    return "\n".join(lines)


def growth(before: Mapping[str, float], after: Mapping[str, float]) -> float:
    """Return the largest ratio of end to beginning. Raise KeyError if a process did not exist at the beginning."""
    return max(end / before[name] for name, end in after.items())
