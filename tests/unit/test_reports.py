"""Activity reports: parsed or refused as a whole, from new and older sidecars."""

import json
from typing import Any

import pytest

from control_plane.errors import MalformedRequest
from control_plane.sessions.reports import ActivityReport, parse_report
from tests.support.data.forging import NOW, SID

WHO = {"edge": "north", "instance": "a1"}
COLUMNS: dict[str, Any] = {"sids": [SID, "s2"], "lastSeen": [NOW, NOW + 0.25], "clients": [["c1", "c2"], []]}
ROW: dict[str, Any] = {"sid": SID, "lastSeen": "2027-01-15T08:00:00Z", "clients": ["c1", "c2"]}


def encoded(**changes: Any) -> bytes:
    return json.dumps(WHO | COLUMNS | changes).encode()


def older(*rows: Any, **changes: Any) -> bytes:
    return json.dumps(WHO | {"sessions": list(rows)} | changes).encode()


def test_a_report_is_parsed() -> None:
    assert parse_report(encoded()) == ActivityReport([SID, "s2"], [NOW, NOW + 0.25], [["c1", "c2"], []])
    assert parse_report(encoded(sids=[], lastSeen=[], clients=[])) == ActivityReport([], [], [])


def test_an_older_sidecars_report_is_also_parsed() -> None:
    assert parse_report(older(ROW)) == ActivityReport([SID], [NOW], [["c1", "c2"]])


def test_unknown_members_are_ignored_and_clients_may_be_missing() -> None:
    assert parse_report(encoded(also=1)).sids == [SID, "s2"]
    row = {"sid": SID, "lastSeen": "2027-01-15T09:00:00+01:00", "new": {}}
    assert parse_report(older(row, also=1)) == ActivityReport([SID], [NOW], [[]])


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "JSON"),
        (b"[]", "JSON"),
        (b'{"edge":"a","edge":"b"}', "JSON"),
        (encoded(edge=None), "edge"),
        (encoded(edge="a b"), "edge"),
        (encoded(edge="a\n"), "edge"),
        (encoded(instance=""), "instance"),
        (encoded(instance="x" * 65), "instance"),
        (encoded(sids=None), "lists"),
        (encoded(lastSeen={}), "lists"),
        (encoded(clients="ab"), "lists"),
        (encoded(sids=[SID]), "length"),
        (encoded(lastSeen=[NOW] * 3), "length"),
        (encoded(clients=[[]]), "length"),
        (encoded(sids=[None, "s2"]), "sids[0]"),
        (encoded(sids=[SID, "\0"]), "sids[1]"),
        (encoded(sids=["a\nb", "s2"]), "sids[0]"),
        (encoded(sids=[SID, ""]), "sids[1]"),
        (encoded(sids=[SID, "x" * 65]), "sids[1]"),
        (encoded(sids=[SID, ["s2"]]), "sids[1]"),
        (encoded(lastSeen=[NOW, "2027-01-15T08:00:00Z"]), "lastSeen[1]"),
        (encoded(lastSeen=[NOW, True]), "lastSeen[1]"),
        (encoded(lastSeen=[None, NOW]), "lastSeen[0]"),
        (encoded(lastSeen=[NOW, -1]), "lastSeen[1]"),
        (encoded(lastSeen=[10**40, NOW]), "lastSeen[0]"),
        (encoded(lastSeen=[NOW, "soon"]).replace(b'"soon"', b"1e999"), "lastSeen[1]"),
        (encoded(lastSeen=[NOW, "soon"]).replace(b'"soon"', b"NaN"), "JSON"),
        (encoded(clients=[["c1"], {}]), "clients[1]"),
        (encoded(clients=["c1", []]), "clients[0]"),
        (encoded(clients=[[], ["c1", "c2\n"]]), "clients[1]"),
        (encoded(clients=[["c1\nc2", ""], []]), "clients[0]"),
        (encoded(clients=[[], [1]]), "clients[1]"),
        (older(sessions={}), "sessions"),
        (older(sessions=None), "sessions"),
        (older(ROW, "sid"), "sessions[1]"),
        (older(ROW | {"sid": None}), "sessions[0].sid"),
        (older(ROW | {"sid": "\0"}), "sessions[0].sid"),
        (older(ROW | {"sid": "a\nb"}), "sessions[0].sid"),
        (older(ROW, ROW | {"sid": ""}), "sessions[1].sid"),
        (older(ROW | {"sid": "x" * 65}), "sessions[0].sid"),
        (older(ROW, {"sid": SID}), "sessions[1].lastSeen"),
        (older(ROW | {"lastSeen": "0001-01-01T00:00:00"}), "sessions[0].lastSeen"),
        (older(ROW | {"lastSeen": "9000-01-01T00:00:01Z"}), "sessions[0].lastSeen"),
        (older(ROW | {"lastSeen": 1_800_000_000}), "sessions[0].lastSeen"),
        (older(ROW | {"lastSeen": "2027-01-15T08:00:00"}), "sessions[0].lastSeen"),
        (older(ROW | {"lastSeen": "1969-01-01T00:00:00Z"}), "sessions[0].lastSeen"),
        (older(ROW | {"lastSeen": "soon"}), "sessions[0].lastSeen"),
        (older(ROW | {"clients": ["c1", "c2\n"]}), "sessions[0].clients"),
        (older(ROW | {"clients": ["c1\nc2", ""]}), "sessions[0].clients"),
        (older(ROW | {"clients": {}}), "sessions[0].clients"),
        (older(ROW | {"clients": "c1"}), "sessions[0].clients"),
        (older(ROW | {"clients": [1]}), "sessions[0].clients"),
    ],
)
def test_an_invalid_report_is_refused_with_the_path_of_the_error(body: bytes, named: str) -> None:
    with pytest.raises(MalformedRequest) as refusal:
        parse_report(body)
    assert named in str(refusal.value)
