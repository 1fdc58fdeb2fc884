"""Actors and what they may do: the roles of admins, the scopes of API keys, and the permissions behind both.

A permission is checked where an action is performed, not where it is displayed.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol, Self

from control_plane.errors import Forbidden


class Permission(StrEnum):
    READ = "read"
    REVOKE = "revoke"  # also lifting a revocation, and ending a session
    TICKETS = "tickets"  # create, import and delete them
    EVENTS = "events"
    ADMINISTER = "administer"  # users, API keys, webhooks
    OWN_ACCOUNT = "own-account"  # a user's own password, second factor and sessions


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
    COMMAND = "command"  # a command on the server
    VIEWER = "viewer"
    SYSTEM = "system"


_OPERATOR: Final = frozenset({Permission.READ, Permission.REVOKE, Permission.OWN_ACCOUNT})
_ADMIN: Final = _OPERATOR | {Permission.TICKETS, Permission.EVENTS}
ROLE_PERMISSIONS: Final = {Role.OWNER: frozenset(Permission), Role.ADMIN: _ADMIN, Role.OPERATOR: _OPERATOR}
SCOPE_PERMISSIONS: Final = {
    Scope.READ: frozenset({Permission.READ}),
    Scope.TICKETS: frozenset({Permission.REVOKE, Permission.TICKETS}),
    Scope.EVENTS: frozenset({Permission.EVENTS}),
}


class Owned(Protocol):
    """Something that belongs to an actor. `owner_id` is the actor's id, None if it belongs to nobody."""

    @property
    def owner_id(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Actor:
    """`id` is that of the user or key, `session_id` that of the admin session, `address` the client's IP address.

    `permissions` count for everything, `own_permissions` only for what belongs to the actor.
    """

    kind: ActorKind
    name: str
    permissions: frozenset[Permission] = frozenset()
    address: str | None = None
    id: str | None = None
    role: Role | None = None
    session_id: str | None = None
    own_permissions: frozenset[Permission] = frozenset()

    @classmethod
    def command(cls, name: str = "streamgate") -> Self:
        """Return the actor for commands. It has all permissions: a command has access to the database anyway."""
        return cls(ActorKind.COMMAND, name, frozenset(Permission))

    @classmethod
    def viewer(cls, address: str) -> Self:
        return cls(ActorKind.VIEWER, "viewer", address=address)

    @classmethod
    def system(cls) -> Self:
        """Return the actor for what the control plane does on its own."""
        return cls(ActorKind.SYSTEM, "system")

    def may(self, permission: Permission, on: Owned | None = None) -> bool:
        """Return whether the actor has the permission, for everything or because it owns `on`."""
        return permission in self.permissions or (
            permission in self.own_permissions and on is not None and self._owns(on)
        )

    def require(self, permission: Permission, on: Owned | None = None) -> None:
        """Raise Forbidden unless the actor has the permission."""
        if not self.may(permission, on):
            raise Forbidden

    def _owns(self, resource: Owned) -> bool:
        return self.id is not None and resource.owner_id == self.id
