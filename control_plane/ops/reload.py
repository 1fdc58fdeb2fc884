"""Reload on SIGHUP: apply settings that have changed since the start to a running stack.

nginx is reloaded; a service is restarted only if its own settings have changed. Invalid settings are reported, and
everything continues as before.
"""

from collections.abc import Callable, Iterator

from control_plane.errors import OperatorError
from control_plane.ops import nginx_check
from control_plane.ops.binaries import find_nginx
from control_plane.ops.nginx_site import write_site
from control_plane.ops.processes import ProcessSpec, Stack

Reread = Callable[[], Stack]


def changed_stack(running: Stack, reread: Reread) -> Stack:
    """Read the settings again and write nginx's files from them. Raise OperatorError with nothing written."""
    changed = reread()
    if {spec.name for spec in changed.processes} != {spec.name for spec in running.processes}:
        raise OperatorError("The changed settings need a different set of processes: restart `up`.")
    if changed.site:
        if complaint := nginx_check.refusal(find_nginx(), changed.site):
            raise OperatorError(f"nginx refuses the changed settings: {complaint}")
        write_site(changed.site)
    return changed


def changed_services(running: Stack, changed: Stack) -> Iterator[ProcessSpec]:
    """Yield the services to restart, in the order of a start; those that can reload are not among them."""
    before = {spec.name: spec for spec in running.processes}
    for spec in changed.processes:
        old = before.get(spec.name)
        if old and not spec.reload_signal and (spec.argv, spec.env) != (old.argv, old.env):
            yield spec
