"""Who does something, and what they may do: roles of admins, scopes of API keys, and the permissions behind both.

A permission is asked for where the thing is done, never where it is shown.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from control_plane.errors import Forbidden


class Permission(StrEnum):
    READ = "read"
    REVOKE = "revoke"  # and lift it again, and kick
    TICKETS = "tickets"  # make, import and delete them
    EVENTS = "events"
    ADMINISTER = "administer"  # users, API keys, webhooks
    OWN_ACCOUNT = "own-account"  # a person's own password, second factor and sessions


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    OPERATOR = "operator"


class Scope(StrEnum):
    READ = "read"
    TICKETS = "tickets"
    EVENTS = "events"


class ActorKind(StrEnum):
    USER = "user"
    KEY = "key"
    COMMAND = "command"  # somebody at the command line
    VIEWER = "viewer"
    SYSTEM = "system"


_OPERATOR: Final = frozenset({Permission.READ, Permission.REVOKE, Permission.OWN_ACCOUNT})
_ADMIN: Final = _OPERATOR | {Permission.TICKETS, Permission.EVENTS}
OF_ROLE: Final = {Role.OWNER: frozenset(Permission), Role.ADMIN: _ADMIN, Role.OPERATOR: _OPERATOR}
OF_SCOPE: Final = {
    Scope.READ: frozenset({Permission.READ}),
    Scope.TICKETS: frozenset({Permission.REVOKE, Permission.TICKETS}),
    Scope.EVENTS: frozenset({Permission.EVENTS}),
}


@dataclass(frozen=True, slots=True)
class Actor:
    """`id` is the user's or key's, `session_id` the admin session's; `address` is where the request came from."""

    kind: ActorKind
    name: str
    permissions: frozenset[Permission] = frozenset()
    address: str | None = None
    id: str | None = None
    role: Role | None = None
    session_id: str | None = None

    @classmethod
    def command(cls, name: str = "streamgate") -> Self:
        """Make the actor who may run our commands: they may read the database anyway."""
        return cls(ActorKind.COMMAND, name, frozenset(Permission))

    @classmethod
    def viewer(cls, address: str) -> Self:
        return cls(ActorKind.VIEWER, "viewer", address=address)

    @classmethod
    def system(cls) -> Self:
        """Make the control plane itself: what it does at its own time."""
        return cls(ActorKind.SYSTEM, "system")

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raise Forbidden."""
        if permission not in self.permissions:
            raise Forbidden
