"""The sidecar's memory across a restart: the revocations in force and the cursor that they are good for.

It is written whole beside its place and renamed over it, so a crash leaves the old file or the new one. Its
modification time says when the revocations were last known to be complete.
"""

import json
import os
from pathlib import Path
from tempfile import NamedTemporaryFile

from authz_sidecar.contract.feed import Page, parse_page


class StateFile:
    def __init__(self, path: Path) -> None:
        self._path = path

    def load(self) -> tuple[Page, float] | None:
        """Return the saved state and the time of its last sync, None when there is no file.

        Raise FeedPageRefused when the file is damaged.
        """
        try:
            return parse_page(self._path.read_bytes()), self._path.stat().st_mtime
        except FileNotFoundError:
            return None

    def save(self, page: Page) -> None:
        """Replace the file (mode 600: it names codes). Raise OSError."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=self._path.parent, prefix=self._path.name, delete=False) as file:
            try:
                json.dump(page.to_json(), file)
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(self._path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise

    def touch(self) -> None:
        """Note that the saved state was complete just now. Raise OSError, also when there is no file any more."""
        os.utime(self._path)
