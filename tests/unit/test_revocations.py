"""The set of revocations: the last change of a subject counts, and entries that no token can match are dropped."""

from authz_sidecar.contract.feed import Change, Kind
from authz_sidecar.revocations import Revocations
from tests.support.data.forging import NOW


def revocation(subject: str = "a", kind: Kind = Kind.CODE, expires_at: float = NOW + 3600) -> Change:
    return Change(kind, subject, True, None, NOW, expires_at)


def lifted(subject: str = "a", not_before: int | None = NOW) -> Change:
    return Change(Kind.CODE, subject, False, not_before, NOW, NOW + 3600)


def test_an_empty_set_refuses_nothing() -> None:
    assert not any(refuses(Revocations(), kind, "a", 0) for kind in Kind)
    assert len(Revocations()) == 0


def test_the_last_change_about_a_subject_wins() -> None:
    assert not refuses(Revocations([revocation(), lifted()]), Kind.CODE, "a", NOW)
    assert refuses(Revocations([revocation(), lifted(), revocation()]), Kind.CODE, "a", NOW)


def test_changes_applied_later_join_those_in_force() -> None:
    revocations = Revocations([revocation("a")])
    revocations.apply([revocation("b"), lifted("a")])
    assert refuses(revocations, Kind.CODE, "b", NOW)
    assert not refuses(revocations, Kind.CODE, "a", NOW)
    assert refuses(revocations, Kind.CODE, "a", NOW - 1)
    assert len(revocations) == 2


def test_a_revocation_lifted_without_a_time_refuses_nothing() -> None:
    assert not refuses(Revocations([revocation(), lifted(not_before=None)]), Kind.CODE, "a", 0)


def test_kinds_are_kept_apart() -> None:
    revocations = Revocations([revocation("a", Kind.SESSION)])
    assert refuses(revocations, Kind.SESSION, "a", NOW)
    assert not refuses(revocations, Kind.CODE, "a", NOW)
    assert not refuses(revocations, Kind.EVENT, "a", NOW)


def test_an_entry_is_dropped_a_minute_after_the_last_token_it_concerns() -> None:
    revocations = Revocations([revocation("a", expires_at=NOW), revocation("b", expires_at=NOW + 100)])
    forget(revocations, NOW + 60)
    assert refuses(revocations, Kind.CODE, "a", NOW)
    forget(revocations, NOW + 61)
    assert not refuses(revocations, Kind.CODE, "a", NOW)
    assert refuses(revocations, Kind.CODE, "b", NOW)
    assert len(revocations) == 1


def test_an_expired_entry_that_was_renewed_is_not_dropped() -> None:
    revocations = Revocations([revocation("a", expires_at=NOW), revocation("a", expires_at=NOW + 1000)])
    forget(revocations, NOW + 500)
    assert refuses(revocations, Kind.CODE, "a", NOW)


def test_many_entries_are_dropped_in_slices() -> None:
    revocations = Revocations(revocation(f"code{i}", expires_at=NOW) for i in range(2500))
    steps = revocations.forget_expired(NOW + 100)
    assert [(next(steps), len(revocations)) for _ in range(3)] == [(1000, 1500), (1000, 500), (500, 0)]


def test_its_entries_restore_the_same_set() -> None:
    revocations = Revocations(
        [revocation("a"), revocation("b", Kind.EVENT), lifted("c"), revocation("d", Kind.SESSION)]
    )
    again = Revocations()
    for kind, entries in revocations.slices(size=1):
        for subject, refusal in entries.items():
            again.put(kind, subject, *refusal)
    assert list(again.slices()) == list(revocations.slices())


def test_entries_may_be_added_and_removed_during_iteration() -> None:
    revocations = Revocations([revocation("a"), revocation("b"), revocation("c", expires_at=NOW)])
    seen = []
    for _, entries in revocations.slices(size=1):
        seen += list(entries)
        revocations.apply([revocation("d")])
        forget(revocations, NOW + 100)
    assert seen == ["a", "b"]


def test_entries_with_equal_lifetime_share_their_refusal() -> None:
    revocations = Revocations(revocation(f"code{i}", expires_at=NOW + i % 60) for i in range(1, 5000))
    assert len({id(revocations.codes.get(code)) for code in revocations.codes}) <= 2


def refuses(revocations: Revocations, kind: Kind, subject: str, issued_at: int) -> bool:
    return revocations.by_kind[kind].refuses(subject, issued_at)


def forget(revocations: Revocations, now: float) -> None:
    for _ in revocations.forget_expired(now):
        pass
