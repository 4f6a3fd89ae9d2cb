"""The files that may be trained now, in their order: lane, then admission."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from regime3.records.files import LANE_ORDER, Lane
from regime3.records.messages import OpenFile

_RANK = {lane: rank for rank, lane in enumerate(LANE_ORDER)}


class Catalogue:
    """A small ordered set; sorted again only after a change."""

    def __init__(self) -> None:
        self._files: dict[str, OpenFile] = {}
        self._order: list[OpenFile] | None = None

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, file_id: str) -> bool:
        return file_id in self._files

    def __iter__(self) -> Iterator[OpenFile]:
        """Files in training order."""
        if self._order is None:
            self._order = sorted(
                self._files.values(), key=lambda file: (_RANK[file.lane], file.admission)
            )
        return iter(self._order)

    def get(self, file_id: str) -> OpenFile | None:
        return self._files.get(file_id)

    def add(self, file: OpenFile) -> None:
        self._files[file.id] = file
        self._order = None

    def remove(self, file_id: str) -> None:
        if self._files.pop(file_id, None) is not None:
            self._order = None

    def move(self, file_id: str, lane: Lane) -> None:
        """Change a file's lane; unknown files are none of our business."""
        file = self._files.get(file_id)
        if file is not None:
            self.add(msgspec.structs.replace(file, lane=lane))
