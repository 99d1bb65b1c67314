"""The exam of every store. Subclass `StoreSuite` in a test file, give it a fixture ``store``, and run pytest.

::

    class TestMyStore(StoreSuite):
        @pytest.fixture
        def store(self, tmp_path):
            store = MyStore(tmp_path)
            yield store
            store.close()
"""

import pickle
import threading

from ..errors import StoreUnavailable
from ..protocols import (
    Buffer,
    Entry,
    Limits,
    Record,
    Store,
    SupportsCounters,
    SupportsLease,
    SupportsLimits,
    SupportsNotes,
    SupportsPrefix,
    SupportsVerification,
)

__all__ = ["StoreSuite", "key_of", "plain"]

KIB, MIB = 1 << 10, 1 << 20


def key_of(number: int, *, function: int = 0) -> bytes:
    """A key of 32 bytes: 8 for a function, 24 for a call of it."""
    return function.to_bytes(8, "big") + number.to_bytes(24, "big")


def plain(record: Record | None) -> tuple[bytes, list[bytes], bytes] | None:
    """A record as values that can be compared."""
    if record is None:
        return None
    return bytes(record.skeleton), [bytes(buffer) for buffer in record.buffers], bytes(record.facts)


def _entries(store: Store, prefix: bytes = b"") -> dict[bytes, Entry]:
    return {entry.key: entry for entry in store.scan(prefix)}


def _filled(nbytes: int, seed: int = 1) -> bytearray:
    return bytearray((seed + 7 * position) % 251 for position in range(min(nbytes, 4096))) * -(
        -nbytes // 4096
    )


class StoreSuite:
    """What `lightwork.protocols.Store` promises. Subclasses give the fixture ``store``: a new, empty one."""

    def test_what_was_put_is_got(self, store: Store) -> None:
        """A record comes back with its skeleton, buffers and facts."""
        record = Record(b"skeleton", [b"one", bytearray(b""), memoryview(b"three")], b'{"a":1}')
        store.put(key_of(1), record, seconds=0.5)
        assert plain(store.get(key_of(1))) == plain(record)

    def test_an_unknown_key_is_none(self, store: Store) -> None:
        """Asking for what is not there is no error, and makes nothing."""
        assert store.get(key_of(1)) is None
        store.put(key_of(2), Record(b"x", (), b""))
        assert store.get(key_of(1)) is None
        assert set(_entries(store)) == {key_of(2)}

    def test_records_of_every_size_come_back(self, store: Store) -> None:
        """Nothing is lost at the borders between small and large, skeletons and buffers."""
        sizes = (0, 1, 100, 64 * KIB - 1, 64 * KIB + 1, MIB - 1, MIB, MIB + 1, 3 * MIB)
        for number, nbytes in enumerate(sizes):
            data = bytes(_filled(nbytes, number))
            store.put(key_of(number), Record(data, (), b"facts"))
            store.put(key_of(number, function=1), Record(b"s", [data, b"tail", data], b""))
        for number, nbytes in enumerate(sizes):
            data = bytes(_filled(nbytes, number))
            assert plain(store.get(key_of(number))) == (data, [], b"facts")
            assert plain(store.get(key_of(number, function=1))) == (b"s", [data, b"tail", data], b"")

    def test_many_buffers_keep_their_order(self, store: Store) -> None:
        """A record may have more buffers than one system call takes."""
        buffers: list[Buffer] = [number.to_bytes(4, "big") * 40 for number in range(3000)]
        buffers[1234] = _filled(MIB + 5)
        store.put(key_of(1), Record(b"s", buffers, b""))
        found = store.get(key_of(1))
        assert found is not None
        assert [bytes(buffer) for buffer in found.buffers] == [bytes(buffer) for buffer in buffers]

    def test_buffers_are_writable_and_private(self, store: Store) -> None:
        """Whoever changes what he got changes nothing for anybody else, nor for himself the next time."""
        for nbytes in (10, 100 * KIB, 2 * MIB):
            content = bytes(_filled(nbytes))
            store.put(key_of(nbytes), Record(b"s", [content], b""))
            first, second = store.get(key_of(nbytes)), store.get(key_of(nbytes))
            assert first is not None
            assert second is not None
            view = memoryview(first.buffers[0])
            assert not view.readonly
            view[0] = (view[0] + 1) % 256
            assert bytes(second.buffers[0]) == content
            third = store.get(key_of(nbytes))
            assert third is not None
            assert bytes(third.buffers[0]) == content

    def test_what_is_put_may_be_changed_afterwards(self, store: Store) -> None:
        """A store keeps the bytes as they are when it is given them."""
        for nbytes in (10, 2 * MIB):
            buffer = bytearray(nbytes)
            store.put(key_of(nbytes), Record(b"s", [buffer], b""))
            buffer[:] = b"\1" * nbytes
            found = store.get(key_of(nbytes))
            assert found is not None
            assert bytes(found.buffers[0]) == bytes(nbytes)

    def test_put_replaces(self, store: Store) -> None:
        """The last record of a key counts, whatever the sizes."""
        for nbytes in (10, 2 * MIB, 100 * KIB, 20, 3 * MIB):
            store.put(key_of(1), Record(b"s", [_filled(nbytes)], b""))
            assert plain(store.get(key_of(1))) == (b"s", [bytes(_filled(nbytes))], b"")
        assert len(_entries(store)) == 1

    def test_drop_removes_and_counts(self, store: Store) -> None:
        """Only what was there is counted; the rest stays."""
        for number in range(5):
            store.put(key_of(number), Record(b"s", [_filled(number * MIB)], b""))
        assert store.drop([key_of(1), key_of(3), key_of(77)]) == 2
        assert store.drop([]) == 0
        assert set(_entries(store)) == {key_of(0), key_of(2), key_of(4)}
        assert store.get(key_of(3)) is None
        assert store.get(key_of(4)) is not None

    def test_values_outlive_their_record(self, store: Store) -> None:
        """What was got stays valid when the record is dropped or replaced."""
        content = bytes(_filled(2 * MIB))
        store.put(key_of(1), Record(b"s", [content], b""))
        found = store.get(key_of(1))
        store.put(key_of(1), Record(b"s", [bytes(2 * MIB)], b""))
        store.drop([key_of(1)])
        assert found is not None
        assert bytes(found.buffers[0]) == content

    def test_equal_buffers_of_two_records_are_independent(self, store: Store) -> None:
        """Removing one of two records with the same bytes leaves the other whole."""
        content = bytes(_filled(2 * MIB))
        store.put(key_of(1), Record(b"s", [content, content], b""))
        store.put(key_of(2), Record(b"s", [content], b""))
        store.drop([key_of(1)])
        assert plain(store.get(key_of(2))) == (b"s", [content], b"")

    def test_scan_finds_by_prefix(self, store: Store) -> None:
        """A prefix selects the records of a function; a whole key selects one."""
        for function in (0, 1, 255, 256, (1 << 64) - 1):
            for number in range(3):
                store.put(key_of(number, function=function), Record(b"s", (), b""), seconds=number)
        assert len(_entries(store)) == 15
        last = ((1 << 64) - 1).to_bytes(8, "big")
        assert set(_entries(store, last)) == {key_of(n, function=(1 << 64) - 1) for n in range(3)}
        assert set(_entries(store, key_of(2, function=255))) == {key_of(2, function=255)}
        assert _entries(store, key_of(9)) == {}
        assert _entries(store)[key_of(2)].seconds == 2.0

    def test_entries_tell_size_and_times(self, store: Store) -> None:
        """An entry is at least as large as what was put, and was not used before it was written."""
        store.put(key_of(1), Record(b"s" * 100, [_filled(2 * MIB)], b"f"))
        entry = _entries(store)[key_of(1)]
        assert entry.nbytes >= 2 * MIB + 100
        assert entry.accessed >= entry.written > 0

    def test_a_closed_store_opens_again(self, store: Store) -> None:
        """`close` lets go of resources, not of records."""
        store.put(key_of(1), Record(b"s", (), b""))
        store.close()
        store.close()
        assert plain(store.get(key_of(1))) == (b"s", [], b"")

    def test_threads_share_a_store(self, store: Store) -> None:
        """Threads that put, get and drop at once see whole records only."""
        wrong: list[object] = []

        def work(seed: int) -> None:
            for turn in range(20):
                number = (seed + turn) % 5
                size = (10, 200 * KIB)[turn % 2]
                store.put(key_of(number), Record(b"%d" % number, [bytes([number]) * size], b""))
                found = store.get(key_of((number + 1) % 5))
                if found is not None and set(bytes(found.buffers[0])) != {(number + 1) % 5}:
                    wrong.append(found)
                if turn % 7 == 0:
                    store.drop([key_of(number)])
            store.close()

        threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []

    def test_counters_agree_with_the_records(self, store: Store) -> None:
        """Number and size follow puts, replacements and drops."""
        if not isinstance(store, SupportsCounters):
            return
        assert store.totals() == (0, 0)
        for number in range(4):
            store.put(key_of(number), Record(b"s", [_filled(number * MIB, number)], b""))
        store.put(key_of(1), Record(b"s", (), b""))
        store.drop([key_of(3)])
        records, nbytes = store.totals()
        assert records == 3
        assert nbytes == sum(entry.nbytes for entry in store.scan())
        store.drop([entry.key for entry in store.scan()])
        assert store.totals() == (0, 0)

    def test_clear_removes_what_has_the_prefix(self, store: Store) -> None:
        """One call empties a function, or the store."""
        if not isinstance(store, SupportsPrefix):
            return
        for function in (7, 8):
            for number in range(3):
                store.put(key_of(number, function=function), Record(b"s", [_filled(MIB)], b""))
        assert store.clear((7).to_bytes(8, "big")) == 3
        assert len(_entries(store)) == 3
        assert store.clear() == 3
        assert _entries(store) == {}

    def test_notes_are_kept_beside_the_records(self, store: Store) -> None:
        """They are replaced, not counted, and cleared by prefix."""
        if not isinstance(store, SupportsNotes):
            return
        key = key_of(1, function=7)
        assert store.noted(key) is None
        store.note(key, b"one")
        store.note(key, b"two")
        store.note(key_of(1, function=8), b"three")
        store.close()
        assert store.noted(key) == b"two"
        assert store.get(key) is None
        assert list(store.scan()) == []
        if isinstance(store, SupportsPrefix):
            assert store.clear((7).to_bytes(8, "big")) == 0
            assert store.noted(key) is None
            assert store.noted(key_of(1, function=8)) == b"three"

    def test_recent_facts_come_first(self, store: Store) -> None:
        """The facts of records of a function, those written last first, as many as asked for."""
        if not isinstance(store, SupportsNotes):
            return
        assert list(store.recent(b"", 10)) == []
        for number in range(5):
            buffers = [_filled(2 * MIB)] if number == 3 else []
            store.put(key_of(number, function=number % 2), Record(b"s", buffers, b"%d" % number))
        assert list(store.recent((1).to_bytes(8, "big"), 10)) == [b"3", b"1"]
        assert list(store.recent(b"", 3)) == [b"4", b"3", b"2"]

    def test_trim_removes_what_was_not_used(self, store: Store) -> None:
        """Limits are kept by removing the records that were used least recently."""
        if not isinstance(store, SupportsLimits):
            return
        for number in range(6):
            store.put(key_of(number), Record(b"s", [_filled(10 * KIB, number)], b""))
        store.get(key_of(0))
        assert store.trim(max_items=4) == 2
        assert set(_entries(store)) == {key_of(0), key_of(3), key_of(4), key_of(5)}
        one = _entries(store)[key_of(0)].nbytes
        assert store.trim(max_bytes=2 * one) == 2
        assert set(_entries(store)) == {key_of(0), key_of(5)}
        assert store.trim(max_bytes=2 * one, max_items=2, accessed_since=0.0) == 0
        assert store.trim(max_bytes=0) == 2
        assert store.trim(max_items=0) == 0

    def test_put_within_keeps_the_limits(self, store: Store) -> None:
        """They hold after each record, which is there itself; one for which there is no room is refused."""
        if not isinstance(store, SupportsLimits):
            return
        for number in range(12):
            record = Record(b"s", [_filled(200 * KIB, number)], b"")
            limits = Limits(max_bytes=MIB, max_items=8) if number % 2 else Limits(max_items=3)
            store.put_within(key_of(number), record, seconds=1.0, limits=limits)
            entries = _entries(store)
            assert key_of(number) in entries
            assert len(entries) <= (limits.max_items or 0)
            assert sum(entry.nbytes for entry in entries.values()) <= (limits.max_bytes or 3 * MIB)
        try:
            large = Record(b"s", [_filled(2 * MIB)], b"")
            store.put_within(key_of(99), large, seconds=1.0, limits=Limits(max_bytes=MIB))
        except StoreUnavailable:
            assert store.get(key_of(99)) is None
        else:
            raise AssertionError("a record of 2 MiB was kept within 1 MiB")

    def test_a_lease_is_given_back(self, store: Store) -> None:
        """All threads of a process get it, and whoever failed leaves a mark."""
        if not isinstance(store, SupportsLease):
            return
        key = key_of(1)
        assert store.lease(key)
        assert store.lease(key)
        store.release(key, failed=False)
        mark = store.failures(key)
        assert store.lease(key)
        store.release(key, failed=True)
        assert store.failures(key) != mark
        assert store.lease(key)
        store.release(key, failed=False)

    def test_a_record_can_be_verified(self, store: Store) -> None:
        """It is the same as the one that is got."""
        if not isinstance(store, SupportsVerification):
            return
        store.put(key_of(1), Record(b"s", [_filled(2 * MIB), b"tail"], b"f"))
        assert plain(store.verified(key_of(1))) == plain(store.get(key_of(1)))
        assert store.verified(key_of(2)) is None

    def test_a_pickled_store_has_the_same_records(self, store: Store) -> None:
        """So that cached functions and references to results can be sent to other processes."""
        try:
            pickled = pickle.dumps(store)
        except TypeError:  # a store of one process: it says so by refusing
            return
        store.put(key_of(1), Record(b"s", [b"one"], b"f"))
        again = pickle.loads(pickled)
        try:
            assert plain(again.get(key_of(1))) == (b"s", [b"one"], b"f")
        finally:
            again.close()
