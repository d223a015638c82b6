"""Thrift's compact protocol, by bytes worked out from its specification."""

import pytest

from emo3d.thrift import read_struct


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        (b"\0", {}),
        (b"\x15\x02\x26\x03\0", {1: 1, 3: -2}),  # i32 as field 1, i64 two fields on; zigzag
        (b"\x05\x28\xac\x02\0", {20: 150}),  # a field's number by itself; 0x12c is zigzag of 150
        (b"\x11\x12\0", {1: True, 2: False}),
        (b"\x18\x02hi\x17" + bytes(8) + b"\0", {1: b"hi", 2: None}),  # a double is skipped
        (b"\x1c\x15\x02\0\x13\x07\0", {1: {1: 1}, 2: 7}),  # a struct, a byte
        (b"\x19\x25\x02\x04\x19\xf1\x01\x01\0", {1: [1, 2], 2: [1]}),  # lists: two i32, one bool
    ],
)
def test_fields(data, fields):
    assert read_struct(data) == (fields, len(data))
    assert read_struct(b"PAR1" + data, 4) == (fields, 4 + len(data))
    with pytest.raises(IndexError):
        read_struct(data[:-1])


@pytest.mark.parametrize(
    "data", [b"\x1b\0", b"\x1d\0", b"\x1c" * 100, b"\x19\x19" + b"\x19" * 100, b"\x15" + b"\xff" * 20]
)
def test_what_is_refused(data):
    """Maps, a kind that there is not, structs and lists in one another, and a number that does not end."""
    with pytest.raises(ValueError, match="expected Thrift, got something else"):
        read_struct(data)


def test_a_list_that_says_a_billion():
    with pytest.raises(IndexError):
        read_struct(b"\x19\xf8\xff\xff\xff\xff\x07" + b"\0" * 50)
