"""The verdict ladder: every row, and that the first failure wins."""

from dataclasses import replace

import pytest

from authz_sidecar.contract.feed import Change, Kind
from authz_sidecar.contract.playback_token import (
    PREVIEW_SID,
    PREVIEW_SUB,
    READER_SID,
    READER_SUB,
    Claims,
    TokenRefused,
    mint,
    verify,
)
from authz_sidecar.gate import MediaRequest, Reason, decide
from authz_sidecar.revocations import Revocations
from tests.support.data.forging import CODE, EVENT_ID, NOW, OTHER_EVENT_ID, RING, SID

VIEWER = Claims(eid=EVENT_ID, iat=NOW - 10, exp=NOW + 3590, sub=CODE, sid=SID)
PROBE = Claims(eid=EVENT_ID, iat=NOW, exp=NOW + 10, probe=True)
PATH = f"/streams/{EVENT_ID}/stream.m3u8"
SUBJECTS = {Kind.EVENT: EVENT_ID, Kind.CODE: CODE, Kind.SESSION: SID}
REASONS = {Kind.EVENT: Reason.EVENT, Kind.CODE: Reason.REVOKED, Kind.SESSION: Reason.SESSION}


def change(kind: Kind, *, revoked: bool = True, not_before: int | None = None) -> Change:
    return Change(kind, SUBJECTS[kind], revoked, not_before, NOW, NOW + 3600)


def judge(
    claims: Claims | None = VIEWER,
    *changes: Change,
    path: str = PATH,
    method: str = "GET",
    now: float = NOW,
    token: str | None = "a token",
) -> Reason | None:
    """Decide a request whose token has these claims; None is a token that cannot be verified."""

    def verify(_token: str) -> Claims:
        if claims is None:
            raise TokenRefused("no token of ours")
        return claims

    return decide(MediaRequest(token, path, method), verify, Revocations(changes), now).refusal


def test_a_viewer_with_a_valid_token_is_allowed() -> None:
    assert judge() is None
    assert judge(method="HEAD") is None


def test_nobody_is_allowed_before_the_revocations_are_known() -> None:
    request = MediaRequest("a token", PATH, "GET")
    assert decide(request, lambda _token: VIEWER, None, NOW).refusal is Reason.NOT_READY


def test_a_request_without_a_token_is_missing_one() -> None:
    assert judge(token=None) is Reason.MISSING


def test_a_token_from_the_future_is_refused_as_a_clock_problem() -> None:
    token = mint(replace(VIEWER, iat=NOW + 90), RING)

    def judged(now: float) -> Reason | None:
        request = MediaRequest(token, PATH, "GET")
        return decide(request, lambda text: verify(text, RING, now), Revocations(), now).refusal

    assert judged(NOW) is Reason.CLOCK
    assert judged(NOW + 29) is Reason.CLOCK
    assert judged(NOW + 30) is None


@pytest.mark.parametrize("token", ["", "nonsense"])
def test_a_token_that_cannot_be_verified_is_invalid(token: str) -> None:
    assert judge(None, token=token) is Reason.INVALID


def test_a_token_is_valid_until_five_seconds_after_its_end() -> None:
    assert judge(now=VIEWER.exp + 4.999) is None
    assert judge(now=VIEWER.exp + 5) is Reason.EXPIRED


@pytest.mark.parametrize(
    "path",
    [
        f"/streams/{OTHER_EVENT_ID}/stream.m3u8",
        f"/streams/{EVENT_ID}",
        f"/streams/{EVENT_ID}0/stream.m3u8",
        f"/streams/{EVENT_ID.upper()}/stream.m3u8",
        f"//streams/{EVENT_ID}/stream.m3u8",
        f"/t/token/streams/{EVENT_ID}/stream.m3u8",
        "/streams/",
        "",
    ],
)
def test_a_token_opens_no_path_but_its_own_events(path: str) -> None:
    assert judge(path=path) is Reason.PATH


@pytest.mark.parametrize("name", ["", "hd/stream.m3u8", "a/b/c.ts"])
def test_a_token_opens_everything_below_its_event(name: str) -> None:
    assert judge(path=f"/streams/{EVENT_ID}/{name}") is None


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "head", ""])
def test_a_probe_token_is_valid_for_head_only(method: str) -> None:
    assert judge(PROBE, method="HEAD") is None
    assert judge(PROBE, method=method) is Reason.PROBE


@pytest.mark.parametrize("kind", Kind)
def test_a_revoked_subject_is_refused_for_that_reason(kind: Kind) -> None:
    assert judge(VIEWER, change(kind)) is REASONS[kind]


@pytest.mark.parametrize("kind", Kind)
def test_a_revocation_also_refuses_tokens_issued_after_it(kind: Kind) -> None:
    assert judge(replace(VIEWER, iat=NOW + 4), change(kind)) is REASONS[kind]


@pytest.mark.parametrize("kind", Kind)
def test_after_a_lift_only_tokens_issued_before_stay_refused(kind: Kind) -> None:
    lifted = change(kind, revoked=False, not_before=NOW)
    assert judge(replace(VIEWER, iat=NOW - 1), lifted) is REASONS[kind]
    assert judge(replace(VIEWER, iat=NOW), lifted) is None


@pytest.mark.parametrize("kind", Kind)
def test_a_revocation_of_another_subject_refuses_nothing(kind: Kind) -> None:
    assert judge(VIEWER, change(kind)._replace(id="somebody-else")) is None


def test_the_same_text_as_a_code_and_as_a_session_are_two_subjects() -> None:
    assert judge(VIEWER, change(Kind.SESSION)._replace(id=CODE), change(Kind.CODE)._replace(id=SID)) is None


def test_a_probe_token_is_refused_with_its_event() -> None:
    assert judge(PROBE, change(Kind.EVENT), method="HEAD") is Reason.EVENT


HELD = change(Kind.EVENT)._replace(until=NOW + 60)
PREVIEW = Claims(eid=EVENT_ID, iat=NOW, exp=NOW + 300, sub=PREVIEW_SUB, sid=PREVIEW_SID, preview=True)
READER = Claims(eid=EVENT_ID, iat=NOW, exp=NOW + 10, sub=READER_SUB, sid=READER_SID)


@pytest.mark.parametrize("claims", [VIEWER, replace(VIEWER, iat=NOW + 4)])
def test_a_held_event_opens_automatically_for_waiting_viewers(claims: Claims) -> None:
    assert judge(claims, HELD, now=NOW + 59.9) is Reason.HELD
    assert judge(claims, HELD, now=NOW + 60) is None


def test_a_held_event_refuses_every_viewer() -> None:
    assert judge(VIEWER, HELD, path=f"/streams/{EVENT_ID}/init.mp4") is Reason.HELD
    assert judge(PROBE, HELD, method="HEAD") is Reason.HELD


def test_tokens_refused_before_the_hold_stay_refused_when_the_event_opens() -> None:
    held = HELD._replace(not_before=NOW - 5)
    assert judge(VIEWER, held) is Reason.EVENT
    assert judge(VIEWER, held, now=NOW + 61) is Reason.EVENT
    assert judge(replace(VIEWER, iat=NOW - 5), held, now=NOW + 61) is None


@pytest.mark.parametrize("claims", [PREVIEW, READER])
def test_organisers_and_the_control_plane_pass_closed_doors_and_no_deactivation(claims: Claims) -> None:
    assert judge(claims, HELD) is None
    assert judge(claims, change(Kind.EVENT)) is Reason.EVENT
    assert judge(claims, HELD, path=f"/streams/{OTHER_EVENT_ID}/stream.m3u8") is Reason.PATH


@pytest.mark.parametrize("kind", [Kind.CODE, Kind.SESSION])
def test_only_events_are_held(kind: Kind) -> None:
    assert judge(VIEWER, change(kind)._replace(until=NOW - 60)) is REASONS[kind]


def test_opening_the_doors_allows_every_token_that_was_not_refused_before() -> None:
    assert judge(VIEWER, HELD, change(Kind.EVENT, revoked=False)) is None


def test_the_first_failure_wins_all_the_way_down_the_ladder() -> None:
    """Begin with everything wrong, and fix one thing after another."""
    everything = [change(kind) for kind in Kind]
    wrong_path, late = f"/streams/{OTHER_EVENT_ID}/stream.m3u8", NOW + 10_000
    ladder = [
        (Reason.MISSING, judge(None, *everything, path=wrong_path, now=late, token=None)),
        (Reason.INVALID, judge(None, *everything, path=wrong_path, now=late)),
        (Reason.EXPIRED, judge(PROBE, *everything, path=wrong_path, now=late)),
        (Reason.PATH, judge(PROBE, *everything, path=wrong_path)),
        (Reason.PROBE, judge(PROBE, *everything)),
        (Reason.EVENT, judge(VIEWER, *everything)),
        (Reason.HELD, judge(VIEWER, HELD, change(Kind.CODE), change(Kind.SESSION))),
        (Reason.REVOKED, judge(VIEWER, change(Kind.CODE), change(Kind.SESSION))),
        (Reason.SESSION, judge(VIEWER, change(Kind.SESSION))),
        (None, judge(VIEWER)),
    ]
    assert [verdict for _, verdict in ladder] == [expected for expected, _ in ladder]


def test_the_log_names_the_ticket_only_if_the_signature_is_valid() -> None:
    def refuse(_token: str) -> Claims:
        raise TokenRefused("no token of ours")

    request = MediaRequest("a token", "/elsewhere", "GET")
    assert decide(request, lambda _token: VIEWER, Revocations(), NOW).claims == VIEWER
    assert decide(request, refuse, Revocations(), NOW).claims is None
