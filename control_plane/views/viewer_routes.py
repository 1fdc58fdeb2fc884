"""The viewer API, readable from top to bottom: every route below /api that is no admin's."""

from typing import Final

from control_plane.views import published_api, resume_api, trouble_api, tv_api, tv_codes_api, viewer_api
from control_plane.views.endpoints import routes_of

VIEWER_ENDPOINTS: Final = (
    *viewer_api.ENDPOINTS,
    *resume_api.ENDPOINTS,
    *tv_api.ENDPOINTS,
    *tv_codes_api.ENDPOINTS,
    *trouble_api.ENDPOINTS,
    *published_api.ENDPOINTS,
)
VIEWER_API: Final = routes_of(VIEWER_ENDPOINTS)
