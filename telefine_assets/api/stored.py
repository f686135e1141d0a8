"""Records of the store, parsed once and kept for as long as their files stay what they are.

A record is replaced by renaming a new file over it, which gives the file another
inode and its folder another time. So one look at a file says whether its record
is still the one that is kept, and one look at a folder whether anything in it
changed. An object store has no such thing: there, what is a second old is read anew.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from telefine_assets.api.settling import settle
from telefine_assets.store.files import Files
from telefine_assets.store.records import RecordStore
from telefine_assets.store.tables import MissingPartition

Made = TypeVar("Made")
_FRESH_NS = 50_000_000
"""A file system's clock ticks every few milliseconds: a folder may change twice within one time."""


class Kept:
    """What was made, by a name and a stamp of what it was made of. The ``most`` used last are kept.

    Whoever asks for what is being made waits for it. ``make`` may ask for other names,
    as long as none of these asks for its own.
    """

    def __init__(self, most: int) -> None:
        """Keep ``most`` things."""
        self._most, self._lock = most, Lock()
        self._kept: OrderedDict[Hashable, tuple[Hashable, Any]] = OrderedDict()
        # A lock is there for as long as somebody makes, or waits.
        self._making: WeakValueDictionary[Hashable, Any] = WeakValueDictionary()

    def get(
        self,
        name: Hashable,
        stamp: Hashable,
        make: Callable[[], Made],
        worth: Callable[[Made], bool] = lambda _: True,
    ) -> Made:
        """What is kept under ``name`` with this ``stamp``, or else made now.

        Without a stamp nothing is kept, nor what is not ``worth`` it.
        """
        if stamp is None:
            return make()
        with self._lock:
            if self._has(name, stamp):
                return self._used(name)
            making = self._making.setdefault(name, Lock())
        with making:
            with self._lock:
                if self._has(name, stamp):
                    return self._used(name)
            made = make()
            settle()
            if worth(made):
                self._keep(name, stamp, made)
        return made

    def _has(self, name: Hashable, stamp: Hashable) -> bool:
        found = self._kept.get(name)
        return found is not None and found[0] == stamp

    def _used(self, name: Hashable) -> Any:
        self._kept.move_to_end(name)
        return self._kept[name][1]

    def _keep(self, name: Hashable, stamp: Hashable, made: Any) -> None:
        with self._lock:
            self._kept[name] = (stamp, made)
            self._kept.move_to_end(name)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)


class KeptRecords:
    """``store.records.RecordStore`` for many readers. What it returns is shared: nobody may change it."""

    def __init__(self, files: Files, most: int = 5_000) -> None:
        """Read records of ``files``; keep the ``most`` used last, and as many lists of days."""
        self._files, self._store = files, RecordStore(files)
        self._local = "://" not in files.uri
        self._records, self._days = Kept(most), Kept(most)

    def find(self, program: str, stage: str, day: str) -> dict[str, Any] | None:
        """A record, or None when the stage has not run for that day.

        Raises:
            BrokenRecord: it is no record; and later, where a part is asked for that it lacks.
        """
        name = self._store.name(program, stage, day)
        return self._records.get(
            name,
            self._stamp(name, 0),
            lambda: self._store.find(program, stage, day),
            # Days that have no record are as many as callers can think of.
            worth=lambda record: record is not None,
        )

    def read(self, program: str, stage: str, day: str) -> dict[str, Any]:
        """A record.

        Raises:
            MissingPartition: when the stage has not run for that day.
        """
        found = self.find(program, stage, day)
        if found is None:
            raise MissingPartition(f"{program}/{stage} has no record for {day}")
        return found

    def days(self, program: str, stage: str) -> list[str]:
        """Days that have a record, oldest first."""
        return self._days.get(
            (program, stage), self.stamp(program, stage), lambda: self._store.days(program, stage)
        ).copy()

    def stamp_of(self, program: str, stage: str, day: str) -> Hashable:
        """Changes whenever that record does."""
        return self._stamp(self._store.name(program, stage, day), 0)

    def stamp(self, program: str, *stages: str) -> Hashable:
        """Changes whenever a record of one of the stages does; None while that cannot be told."""
        stamps = [self._stamp(f"records/{program}/{stage}", _FRESH_NS) for stage in stages]
        return None if None in stamps else tuple(stamps)

    def _stamp(self, name: str, settled_ns: int) -> Hashable:
        if not self._local:
            return int(time.monotonic())
        try:
            seen = Path(self._files.path(name)).stat()
        except FileNotFoundError:
            return "missing"
        if time.time_ns() - seen.st_mtime_ns < settled_ns:
            return None
        return seen.st_ino, seen.st_mtime_ns, seen.st_size
