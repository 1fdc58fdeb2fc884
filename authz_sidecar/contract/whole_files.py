"""Files that are written completely or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO


@contextmanager
def replacing(file: Path, *, exclusive: bool = False) -> Iterator[IO[bytes]]:
    """Write to a temporary file beside `file` (mode 600), flush it to the disk, and rename it to `file`.

    Readers see the old content or the new, also after a crash; on an error the old file stays. Raise OSError; if
    `exclusive`, raise FileExistsError if the file exists (the file system must have hard links then).
    """
    with NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as temporary:
        written = Path(temporary.name)
        try:
            yield temporary
            temporary.flush()
            os.fsync(temporary.fileno())
            if exclusive:
                os.link(written, file)
            else:
                written.replace(file)
        finally:
            written.unlink(missing_ok=True)
