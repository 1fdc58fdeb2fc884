"""What the JSON API and the forms accept and return: validated here once, with one message per field."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from authz_sidecar.contract.playback_token import EVENT_ID
from control_plane.clock import LATEST

# No NUL: PostgreSQL cannot store it.
Text = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[^\x00]*$")]
Title = Annotated[Text, Field(min_length=1, max_length=200)]
Label = Annotated[Text, Field(max_length=200)]
Moment = Annotated[AwareDatetime, Field(ge=datetime(1970, 1, 2, tzinfo=UTC), le=LATEST)]
EVENT_ID_PATTERN = re.compile(rf"^{EVENT_ID.pattern}\Z")
HttpUrl = Annotated[Text, Field(max_length=2000, pattern=re.compile(r"^https?://[^\s]+$"))]


class Schema(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", hide_input_in_errors=True
    )


class Paging(Schema):
    page: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    limit: Annotated[int, Field(ge=1, le=200)] = 50

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.limit
