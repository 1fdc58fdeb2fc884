"""The set of revocations: the last word about a subject counts, and what nobody can meet any more is forgotten."""

from authz_sidecar.contract.feed import Change, Kind
from authz_sidecar.revocations import Revocations
from tests.support.forging import NOW


def cut(subject: str = "a", kind: Kind = Kind.CODE, expires_at: float = NOW + 3600) -> Change:
    return Change(kind, subject, True, None, NOW, expires_at)


def lifted(subject: str = "a", not_before: int | None = NOW) -> Change:
    return Change(Kind.CODE, subject, False, not_before, NOW, NOW + 3600)


def test_an_empty_set_refuses_nobody() -> None:
    assert not any(Revocations().refuses(kind, "a", 0) for kind in Kind)
    assert len(Revocations()) == 0


def test_the_last_change_about_a_subject_wins() -> None:
    assert not Revocations([cut(), lifted()]).refuses(Kind.CODE, "a", NOW)
    assert Revocations([cut(), lifted(), cut()]).refuses(Kind.CODE, "a", NOW)


def test_changes_applied_later_join_those_in_force() -> None:
    revocations = Revocations([cut("a")])
    revocations.apply([cut("b"), lifted("a")])
    assert revocations.refuses(Kind.CODE, "b", NOW)
    assert not revocations.refuses(Kind.CODE, "a", NOW)
    assert revocations.refuses(Kind.CODE, "a", NOW - 1)
    assert len(revocations) == 2


def test_a_revocation_lifted_without_a_time_refuses_nothing() -> None:
    assert not Revocations([cut(), lifted(not_before=None)]).refuses(Kind.CODE, "a", 0)


def test_kinds_are_kept_apart() -> None:
    revocations = Revocations([cut("a", Kind.SESSION)])
    assert revocations.refuses(Kind.SESSION, "a", NOW)
    assert not revocations.refuses(Kind.CODE, "a", NOW)
    assert not revocations.refuses(Kind.EVENT, "a", NOW)


def test_an_entry_is_forgotten_a_minute_after_the_last_token_it_concerns() -> None:
    revocations = Revocations([cut("a", expires_at=NOW), cut("b", expires_at=NOW + 100)])
    revocations.forget_expired(NOW + 60)
    assert revocations.refuses(Kind.CODE, "a", NOW)
    revocations.forget_expired(NOW + 61)
    assert not revocations.refuses(Kind.CODE, "a", NOW)
    assert revocations.refuses(Kind.CODE, "b", NOW)
    assert len(revocations) == 1


def test_its_changes_make_the_same_set_again() -> None:
    changes = [cut("a"), cut("b", Kind.EVENT), lifted("c"), cut("d", Kind.SESSION)]
    again = Revocations(Revocations([cut("c"), *changes]).changes())
    assert set(again.changes()) == set(changes)
