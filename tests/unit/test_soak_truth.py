"""The soak's judge: it detects wrong verdicts of either kind, and tolerates a second around a change."""

import pytest

from tests.soak.truth import Credential, Judge

Verdict = tuple[int, float, float]  # status, asked, answered


def cut_at_100() -> Credential:
    credential = Credential("token")
    credential.revoke(100.0, 100.2)
    return credential


def lifted_at_100() -> Credential:
    return Credential("token", sure_from=101.0)


def stranger() -> Credential:
    return Credential("token").never(410)


@pytest.mark.parametrize(
    ("credential", "verdict"),
    [
        (Credential("token"), (200, 5.0, 5.1)),
        (cut_at_100(), (200, 99.0, 99.1)),
        (cut_at_100(), (200, 101.1, 101.3)),
        (cut_at_100(), (403, 100.1, 100.1)),
        (cut_at_100(), (403, 99.9, 100.1)),
        (cut_at_100(), (403, 200.0, 200.1)),
        (lifted_at_100(), (403, 100.9, 101.2)),
        (lifted_at_100(), (200, 100.5, 100.6)),
        (stranger(), (410, 5.0, 5.1)),
    ],
)
def test_an_answer_that_agrees_with_the_truth_is_right(credential: Credential, verdict: Verdict) -> None:
    judge = Judge()
    judge.record(credential, *verdict)
    assert judge.wrong == []


@pytest.mark.parametrize(
    ("credential", "verdict"),
    [
        (Credential("token"), (403, 5.0, 5.1)),
        (Credential("token"), (503, 5.0, 5.1)),
        (cut_at_100(), (403, 99.0, 99.9)),
        (cut_at_100(), (200, 101.3, 101.4)),
        (cut_at_100(), (401, 200.0, 200.1)),
        (cut_at_100(), (503, 100.1, 100.2)),
        (lifted_at_100(), (403, 101.1, 101.2)),
        (stranger(), (200, 5.0, 5.1)),
        (stranger(), (403, 5.0, 5.1)),
    ],
)
def test_an_answer_that_contradicts_the_truth_is_wrong(credential: Credential, verdict: Verdict) -> None:
    judge = Judge()
    judge.record(credential, *verdict)
    assert judge.wrongs == len(judge.wrong) == 1


def test_only_the_first_revocation_counts() -> None:
    credential = cut_at_100()
    credential.revoke(300.0, 300.1)
    assert not credential.permits(200, 250.0, 250.1)
