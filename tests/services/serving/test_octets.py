"""Octets are counted as the standard library counts them."""

from hypothesis import given
from hypothesis import strategies as st

from services.serving import octets


@given(body=st.text("a[]", max_size=20).map(str.encode), most=st.integers(0, 6))
def test_octets_are_counted(body: bytes, most: int) -> None:
    assert octets.count(body, b"[") == body.count(b"[")
    assert octets.count_few(body, b"[", most) == min(body.count(b"["), most + 1)
