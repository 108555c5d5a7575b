"""The stop switch: a file that every worker of a service looks for before it answers about a patient."""

from __future__ import annotations

import time
from pathlib import Path


class Switch:
    """`stopped` is true within half a second of `stop`, in whichever worker it was called."""

    LOOK_AGAIN = 0.5  # seconds for which a worker trusts its last look

    def __init__(self, folder: Path | None) -> None:
        """Use a file in a folder that the workers share; without one the switch is this process's own."""
        self._file = None if folder is None else folder / "stopped"
        self._stopped, self._looked = False, 0.0

    def stop(self) -> None:
        """Stop; it outlasts a restart."""
        self._set(True)
        if self._file is not None:
            self._file.touch()

    def release(self) -> None:
        """Answer again."""
        self._set(False)
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    @property
    def stopped(self) -> bool:
        """Return whether the service is stopped."""
        now = time.monotonic()
        if self._file is not None and now - self._looked > self.LOOK_AGAIN:
            self._set(self._file.exists())
        return self._stopped

    def _set(self, stopped: bool) -> None:
        self._stopped, self._looked = stopped, time.monotonic()
