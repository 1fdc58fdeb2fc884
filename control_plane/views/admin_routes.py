"""The admin API, readable from top to bottom: each route says where it is defined who may call it."""

from typing import Final

from control_plane.views import (
    admin_accounts,
    admin_audit,
    admin_dashboard,
    admin_edges,
    admin_events,
    admin_history,
    admin_keys,
    admin_posters,
    admin_sign_in,
    admin_streams,
    admin_ticket_files,
    admin_tickets,
    admin_webhooks,
    own_account,
)
from control_plane.views.endpoints import routes_of

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
