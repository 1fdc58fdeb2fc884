"""What SIGHUP takes into a running stack: the settings that have changed since its start.

nginx is reloaded; a service is started again only when its own settings are others now. What makes no sense is said,
and everything goes on as before.
"""

from collections.abc import Callable, Iterator

from control_plane.errors import OperatorError
from control_plane.ops import nginx_check
from control_plane.ops.nginx_site import write_site
from control_plane.ops.processes import ProcessSpec, Stack

Reread = Callable[[], Stack]


def changed_stack(running: Stack, reread: Reread) -> Stack:
    """Read the settings again and write nginx's files by them. Raise OperatorError with nothing written."""
    changed = reread()
    if {spec.name for spec in changed.processes} != {spec.name for spec in running.processes}:
        raise OperatorError("The changed settings need other processes than those that run: restart `up`.")
    if changed.site:
        if complaint := nginx_check.refusal(changed.nginx.argv[0], changed.site):
            raise OperatorError(f"nginx refuses the changed settings: {complaint}")
        write_site(changed.site)
    return changed


def changed_services(running: Stack, changed: Stack) -> Iterator[ProcessSpec]:
    """Give what must be started anew, in the order of a start. nginx is told to reload instead."""
    before = {spec.name: spec for spec in running.processes}
    for spec in changed.processes:
        old = before.get(spec.name)
        if old and spec is not changed.nginx and (spec.argv, spec.env) != (old.argv, old.env):
            yield spec
