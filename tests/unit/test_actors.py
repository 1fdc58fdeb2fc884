"""Permissions: those that count for everything, and those that count only for what belongs to the actor."""

from dataclasses import dataclass

import pytest

from control_plane.access.actors import Actor, ActorKind, Permission
from control_plane.errors import Forbidden


@dataclass(frozen=True)
class Resource:
    owner_id: str | None


OPERATOR = Actor(ActorKind.USER, "anna", frozenset({Permission.READ}), id="anna")
PARTNER = Actor(ActorKind.USER, "ben", id="ben", own_permissions=frozenset({Permission.EVENTS}))


def test_a_general_permission_counts_for_everything() -> None:
    assert OPERATOR.may(Permission.READ)
    assert OPERATOR.may(Permission.READ, on=Resource("ben"))
    assert not OPERATOR.may(Permission.EVENTS, on=Resource("anna"))


@pytest.mark.parametrize(("on", "may"), [(Resource("ben"), True), (Resource("anna"), False), (Resource(None), False)])
def test_an_own_permission_counts_for_own_resources_only(on: Resource, *, may: bool) -> None:
    assert PARTNER.may(Permission.EVENTS, on=on) is may
    assert not PARTNER.may(Permission.EVENTS)
    if not may:
        with pytest.raises(Forbidden):
            PARTNER.require(Permission.EVENTS, on=on)


def test_what_belongs_to_nobody_does_not_belong_to_an_actor_without_an_id() -> None:
    nobody = Actor(ActorKind.VIEWER, "viewer", own_permissions=frozenset(Permission))
    assert not nobody.may(Permission.READ, on=Resource(None))
