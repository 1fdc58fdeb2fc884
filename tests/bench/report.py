"""The table of one run: medians over its rounds, ratios to the same program without a gate, and the targets.

A ratio is the median of the rounds' ratios, since the speed of a shared machine varies for both alike.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.bench import targets
from tests.bench.contenders import BARE, EXPRESS, GATE, UNGATED, Contender
from tests.bench.load import Measure

TARGETS = [
    *(("750 KB", UNGATED, 0.90), ("1 KB", UNGATED, 0.30)),
    *(("750 KB", BARE, 0.90), ("1 KB", BARE, 0.32)),
    *(("750 KB", EXPRESS, 6.0), ("1 KB", EXPRESS, 6.0)),
]
HEAD = """| file | served by | req/s | of the same ungated | gate does | p50, ms | p99, ms | p50 added | p99 added |
|---|---|---|---|---|---|---|---|---|"""


@dataclass
class ReportResult:
    """The measurements of one contender with one file, by round."""

    full: list[Measure] = field(default_factory=list)
    moderate: list[Measure] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return statistics.median(measure.rate for measure in self.full)

    def against(self, other: "ReportResult") -> float:
        """Return the ratio of requests per second to the other's."""
        return statistics.median(own.rate / base.rate for own, base in zip(self.full, other.full, strict=True))

    @property
    def p50(self) -> float:
        return statistics.median(measure.p50 for measure in self.moderate)

    @property
    def p99(self) -> float:
        return statistics.median(measure.p99 for measure in self.moderate)


def rows(file: str, contenders: Sequence[Contender], seen: Mapping[str, ReportResult]) -> str:
    return "\n".join(_row(file, contender, seen) for contender in contenders)


def _row(file: str, contender: Contender, seen: Mapping[str, ReportResult]) -> str:
    own, base, gate = seen[contender.name], seen[contender.baseline], seen[GATE]
    cells = [file, contender.name, f"{own.rate:,.0f}", f"{own.against(base):.2f}", f"{gate.against(own):.2f}x"]
    cells += [f"{own.p50:.2f}", f"{own.p99:.2f}", f"{own.p50 - base.p50:+.2f}", f"{own.p99 - base.p99:+.2f}"]
    return f"| {' | '.join(cells)} |"


def absent(name: str, why: str) -> str:
    return f"| all | {name} | not measured: {why} | | | | | | |"


def reached(seen: Mapping[str, Mapping[str, ReportResult]]) -> str:
    """Return a line for each target."""
    lines = []
    for file, other, wanted in TARGETS:
        if other not in seen[file]:
            lines.append(f"{file}: gate / {other}: not measured (target {wanted:.2f})")
            continue
        ratio = seen[file][GATE].against(seen[file][other])
        what = f"{file}: gate / {other}"
        verdict = targets.verdict(what, reached=ratio >= wanted)
        lines.append(f"{what}: {ratio:.2f} (target {wanted:.2f}, {verdict})")
    return "\n".join(lines)
