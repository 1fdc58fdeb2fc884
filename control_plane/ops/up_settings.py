"""The settings that `up` reads for itself: the public port, nginx's access log, proxies and the segment cache."""

import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from control_plane.errors import OperatorError

KEPT_LOG_FILES: Final = 4  # the current one and three older ones
_WHOLE_NUMBER: Final = re.compile(r"[0-9]{1,7}")  # int() would also accept signs, underscores and other digits


class LogDestination(StrEnum):
    FILE = "file"
    STDOUT = "stdout"
    OFF = "off"


def _whole_number(lowest: int, highest: int) -> BeforeValidator:
    def check(value: str) -> int:
        if not _WHOLE_NUMBER.fullmatch(value) or not lowest <= int(value) <= highest:
            raise ValueError(f"must be a whole number from {lowest} to {highest}")
        return int(value)

    return BeforeValidator(check)


def _destination(value: str) -> LogDestination:
    if value not in {*LogDestination}:
        raise ValueError(f"must be one of {', '.join(LogDestination)}")
    return LogDestination(value)


class UpSettings(BaseModel):
    """Each field is the setting of the same name in capitals; see docs/reference/settings.md. Empty means unset."""

    model_config = ConfigDict(frozen=True)

    port: Annotated[int, _whole_number(1, 65_535)] = 8080
    access_log: Annotated[LogDestination, BeforeValidator(_destination)] = LogDestination.FILE
    access_log_max_size_mb: Annotated[int, _whole_number(KEPT_LOG_FILES, 1_000_000)] = 1024
    trusted_proxies: str = ""
    cors_allowed_origin: str = ""
    segment_cache_max_size_gb: Annotated[int, _whole_number(1, 100_000)] = 50
    segment_cache_max_age_hours: Annotated[int, _whole_number(1, 8_760)] = 72

    @classmethod
    def read(cls, environment: Mapping[str, str], only: Collection[str] = ()) -> Self:
        """Read all settings, or `only` these fields.

        Raise OperatorError with one sentence per invalid setting, which names it and not its value.
        """
        given = {name: value for name in only or cls.model_fields if (value := environment.get(name.upper()))}
        try:
            return cls.model_validate(given)
        except ValidationError as invalid:
            raise OperatorError(" ".join(map(_sentence, invalid.errors()))) from None


def _sentence(error: Any) -> str:
    return f"{str(error['loc'][0]).upper()} {error['msg'].removeprefix('Value error, ')}."
