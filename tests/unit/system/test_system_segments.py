"""Memory without a name."""

import os

from lightwork.system.segments import create_segment, map_private, map_shared, write_segment


def test_a_segment_holds_the_parts_in_order() -> None:
    """Parts lie side by side; a shorter content replaces a longer one whole."""
    descriptor = create_segment("test")
    assert write_segment(descriptor, [memoryview(b"abc"), memoryview(b""), memoryview(b"de")]) == 5
    assert os.pread(descriptor, 100, 0) == b"abcde"
    assert write_segment(descriptor, [memoryview(b"x")]) == 1
    assert os.pread(descriptor, 100, 0) == b"x"
    os.close(descriptor)


def test_private_changes_stay_private() -> None:
    """What is written through one private mapping is seen by no other and not by the segment."""
    descriptor = create_segment("test")
    write_segment(descriptor, [memoryview(b"abc")])
    with map_private(descriptor, 3) as one, map_private(descriptor, 3) as two:
        one[0:1] = b"z"
        assert (one[:], two[:]) == (b"zbc", b"abc")
    assert os.pread(descriptor, 3, 0) == b"abc"
    os.close(descriptor)


def test_shared_changes_are_seen() -> None:
    """Two shared mappings are one memory, also after the descriptor is closed."""
    descriptor = create_segment("test")
    one, two = map_shared(descriptor, 4096), map_shared(descriptor, 4096)
    os.close(descriptor)
    one[7:8] = b"q"
    assert two[7:8] == b"q"
    one.close()
    two.close()
