"""Shadow mode: a challenger answers the same requests after the fact; what it says is kept beside, and told to no one.

Its numbers wait for the same outcomes as the champion's, so that the two can be compared on real people before anyone is
answered by the challenger. It runs in a thread of its own behind a bounded queue: when it cannot follow, it skips.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from queue import Full, Queue
from typing import TYPE_CHECKING, Any

from features.encoding import SiteReference
from serving.faults import RequestError
from serving.outcomes import Outcomes
from serving.predict import answers, read
from serving.schemas import PredictRequest

if TYPE_CHECKING:
    from models.bundle import Bundle

Json = dict[str, Any]
log = logging.getLogger("vagus")
BEHIND = 1000  # requests that may wait


class Shadow:
    """The challengers of a service, by instrument; `skipped` counts requests they could not follow."""

    def __init__(self, bundles: Mapping[str, Bundle], outcomes: Outcomes, sites: Mapping[str, SiteReference]) -> None:
        """Start the thread; it ends with the process."""
        self.bundles, self.skipped = bundles, 0
        self._outcomes, self._sites = outcomes, sites
        self._queue: Queue[tuple[PredictRequest, Json]] = Queue(BEHIND)
        threading.Thread(target=self._work, name="shadow", daemon=True).start()

    def follow(self, request: PredictRequest, reply: Json) -> None:
        """Hand over what was asked and what the champion said; returns at once."""
        try:
            self._queue.put_nowait((request, reply))
        except Full:
            self.skipped += 1

    def wait(self) -> None:
        """Return when everything handed over has been answered."""
        self._queue.join()

    def _work(self) -> None:
        while True:
            request, reply = self._queue.get()
            try:
                self._answer(request, reply)
            except RequestError:
                self.skipped += 1  # an instrument, arm or covariate the challenger does not know
            except Exception as error:
                log.error("shadow fault %s", type(error).__name__)
            finally:
                self._queue.task_done()

    def _answer(self, request: PredictRequest, reply: Json) -> None:
        asked = read(self.bundles, request, self._sites)
        rows = zip(reply["predictions"], answers(*asked), strict=True)
        told = [(champion["prediction_id"], asked.bundle.digest, own) for champion, own in rows if champion["answered"]]
        self._outcomes.shadowed(told)
