"""Pack FOLDER/source into an archive in FOLDER/scratch, a volume of `volume_bytes` bytes."""

from __future__ import annotations

import errno
import io
import logging
import os
import sys
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

log = logging.getLogger("backup")


class Volume:
    """A folder that holds so many bytes and no more; a quota for machines where nobody may set one."""

    def __init__(self, folder: Path, size_bytes: int) -> None:
        self.folder = folder
        self.size_bytes = size_bytes

    def free_bytes(self) -> int:
        """Return how much still fits."""
        return self.size_bytes - sum(file.stat().st_size for file in self.folder.iterdir() if file.is_file())


class VolumeFile(io.FileIO):
    """A new file on a volume: writing beyond the volume's size fails as it does on a full disk."""

    def __init__(self, volume: Volume, path: Path) -> None:
        self._left = volume.free_bytes()
        super().__init__(path, "x")

    def write(self, data: ReadableBuffer, /) -> int:
        """Write all of it, or fail with ENOSPC."""
        size = memoryview(data).nbytes
        if size > self._left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.name))
        self._left -= size
        return super().write(data)


def main(folder: Path) -> int:
    """Write one archive; a half-written one is removed again."""
    source, scratch = folder / "source", folder / "scratch"
    volume = Volume(scratch, int((folder / "volume_bytes").read_text()))
    archive = scratch / f"backup-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.tar"
    log.info("packing %s (%d files) into %s", source, len(list(source.iterdir())), archive.name)
    try:
        with VolumeFile(volume, archive) as file, tarfile.open(fileobj=file, mode="w|") as tar:
            for path in sorted(source.iterdir()):
                log.info("adding %s (%d bytes)", path.name, path.stat().st_size)
                tar.add(path, arcname=path.name)
    except OSError as error:
        archive.unlink(missing_ok=True)
        log.error("cannot write %s: %s", archive.name, error)  # noqa: TRY400 - people at night need the line, not the stack
        log.error("backup failed, nothing was kept")  # noqa: TRY400
        return 1
    log.info("done: %s, %d bytes left on the volume", archive.name, volume.free_bytes())
    return 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    sys.exit(main(Path(sys.argv[1])))
