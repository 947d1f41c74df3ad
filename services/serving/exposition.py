"""The metrics of several models in one text: a family stands there once, with the samples of all."""

from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector


class Together(Collector):
    """Several registries, read as one."""

    def __init__(self, registries: Sequence[CollectorRegistry]) -> None:
        self._registries = registries

    def collect(self) -> Iterator[Metric]:
        """The families, in the order in which they first come."""
        families: dict[str, Metric] = {}
        for registry in self._registries:
            for family in registry.collect():
                if family.name not in families:
                    families[family.name] = Metric(family.name, family.documentation, family.type, family.unit)
                families[family.name].samples.extend(family.samples)
        yield from families.values()


def exposition(registries: Sequence[CollectorRegistry]) -> bytes:
    """The metrics in Prometheus' text format."""
    return generate_latest(registries[0] if len(registries) == 1 else Together(registries))
