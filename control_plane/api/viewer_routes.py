"""The routes of the viewer API: everything below /api except the admin API."""

from typing import Final

from control_plane.api import playback
from control_plane.api import published_revocations as published_api
from control_plane.api import resume as resume_api
from control_plane.api import trouble as trouble_api
from control_plane.api import tv as tv_api
from control_plane.api import tv_codes as tv_codes_api
from control_plane.web.endpoints import routes_of

VIEWER_ENDPOINTS: Final = (
    *playback.ENDPOINTS,
    *resume_api.ENDPOINTS,
    *tv_api.ENDPOINTS,
    *tv_codes_api.ENDPOINTS,
    *trouble_api.ENDPOINTS,
    *published_api.ENDPOINTS,
)
VIEWER_API: Final = routes_of(VIEWER_ENDPOINTS)
