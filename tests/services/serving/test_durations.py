"""The histogram shows what prometheus_client's own would."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from services.serving.durations import Durations
from services.serving.metrics import BUCKETS_SECONDS

LABELS = {"model": "house", "model_version": "7"}


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(BUCKETS_SECONDS) | st.floats(0, 20), max_size=30))
def test_exposition_is_that_of_the_library(values: list[float]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    mine = Durations("seconds", "How long.", LABELS, buckets=BUCKETS_SECONDS, registry=ours)
    histogram = Histogram("seconds", "How long.", tuple(LABELS), buckets=BUCKETS_SECONDS, registry=theirs)
    child = histogram.labels(**LABELS)
    for value in values:
        mine.observe(value)
        child.observe(value)
    assert _text(ours) == _text(theirs)


def _text(registry: CollectorRegistry) -> str:
    return re.sub(r"(_created\{.*\}) .*", r"\1", generate_latest(registry).decode())
