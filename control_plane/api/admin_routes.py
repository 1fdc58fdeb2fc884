"""The routes of the admin API; each endpoint declares its permission where it is defined."""

from typing import Final

from control_plane.api import accounts as admin_accounts
from control_plane.api import api_keys as admin_keys
from control_plane.api import audit as admin_audit
from control_plane.api import dashboard as admin_dashboard
from control_plane.api import edges as admin_edges
from control_plane.api import events as admin_events
from control_plane.api import own_account
from control_plane.api import posters as admin_posters
from control_plane.api import sign_in as admin_sign_in
from control_plane.api import streams as admin_streams
from control_plane.api import ticket_files as admin_ticket_files
from control_plane.api import ticket_history as admin_history
from control_plane.api import tickets as admin_tickets
from control_plane.api import webhooks as admin_webhooks
from control_plane.web.endpoints import routes_of

ADMIN_ENDPOINTS: Final = (
    *admin_sign_in.ENDPOINTS,
    *admin_events.ENDPOINTS,
    *admin_posters.ENDPOINTS,
    *admin_tickets.ENDPOINTS,
    *admin_ticket_files.ENDPOINTS,
    *admin_history.ENDPOINTS,
    *admin_edges.ENDPOINTS,
    *admin_audit.ENDPOINTS,
    *admin_dashboard.ENDPOINTS,
    *admin_streams.ENDPOINTS,
    *own_account.ENDPOINTS,
    *admin_accounts.ENDPOINTS,
    *admin_keys.ENDPOINTS,
    *admin_webhooks.ENDPOINTS,
)
ADMIN_API: Final = routes_of(ADMIN_ENDPOINTS)
