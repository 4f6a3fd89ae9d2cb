"""What the node deletes by itself: pushed models beyond a number, jobs beyond an age or a size.

    retention = Retention(settings.node, models, jobs, tell)
    await retention.run()        # until cancelled; `tidy` is one round

Kept, whatever their number: models that an alias, the memory or an open job uses, and those that
did not come by an upload, since nobody pushes them again. Jobs that are open are never old.
Each deletion is told. Who asks for something that is gone gets 404, as after a deletion by hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from regime3.config import Node
from regime3.errors import NodeRefused, Unavailable
from regime3.jobs.office import Jobs
from regime3.serve.models import Models

PAUSE_S = 600.0
DAY_S = 86_400.0
GB = 10**9


class Retention:
    """Of one node."""

    def __init__(
        self, settings: Node, models: Models, jobs: Jobs, tell: Callable[[str], None]
    ) -> None:
        self._settings, self._models, self._jobs, self._tell = settings, models, jobs, tell

    async def run(self) -> None:
        """Tidy now and every so often. A disk or a store that fails is told and tried again."""
        while True:
            try:
                await self.tidy()
            except (OSError, Unavailable) as error:
                self._tell(f"retention waits: {error}")
            await asyncio.sleep(PAUSE_S)

    async def tidy(self) -> None:
        """One round."""
        for model_id in self._spare_models():
            try:
                entry = await self._models.delete(model_id)
            except NodeRefused:
                continue  # used after all
            keep = self._settings.models_keep
            self._tell(
                f"deleted model {model_id} ({entry.size_bytes / 1e9:.2f} GB): node.models_keep "
                f"is {keep}"
            )
        days = self._settings.jobs_keep_days
        if days:
            for job_id in await self._jobs.delete_older(days * DAY_S):
                self._tell(f"deleted job {job_id}: node.jobs_keep_days is {days:g}")
        room = self._settings.jobs_keep_gb
        if room:
            gone = await self._jobs.delete_beyond(int(room * GB))
            if gone:  # a loop ends hundreds an hour: one line for all of them
                self._tell(
                    f"deleted {len(gone)} oldest jobs, {gone[0]} to {gone[-1]}: "
                    f"node.jobs_keep_gb is {room:g}"
                )

    def _spare_models(self) -> list[str]:
        """Pushed ones beyond the newest, the oldest first."""
        keep = self._settings.models_keep
        pushed = [each.id for each in self._models.registry.list() if each.pushed]
        return pushed[:-keep] if keep else []
