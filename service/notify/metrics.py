"""What monitoring can read of a notifier: every metric by name, with its meaning."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from service.notify.process import NotifierProcess


def families() -> dict[str, Any]:
    """Every metric of the notifier, without a value."""
    made: tuple[Metric, ...] = (
        GaugeMetricFamily("firstcome_notifier_at_work", "1 while this notifier has the turn; others stand by."),
        GaugeMetricFamily("firstcome_notifier_store_up", "1 while the arbiter's store answers."),
        GaugeMetricFamily("firstcome_notifier_webhooks", "Webhooks that there are."),
        CounterMetricFamily("firstcome_notifier_messages", "Messages that were taken by their receivers."),
        CounterMetricFamily("firstcome_notifier_purchases", "Purchases of which those messages told."),
        CounterMetricFamily(
            "firstcome_notifier_attempts", "Attempts to hand a message over: `taken`, or `failed`.", labels=["result"]
        ),
        CounterMetricFamily("firstcome_notifier_given_up", "Messages that were put on the list of dead letters."),
        GaugeMetricFamily("firstcome_notifier_waiting_messages", "Messages that wait for their receivers."),
        GaugeMetricFamily(
            "firstcome_notifier_oldest_waiting_seconds", "How long the oldest message that is tried has waited."
        ),
        GaugeMetricFamily(
            "firstcome_notifier_dead_letters", "Messages on a webhook's list of dead letters.", labels=["webhook"]
        ),
    )
    return {family.name: family for family in made}


class NotifierMetrics(Collector):
    """Tells of one notifier; to be asked in its loop."""

    def __init__(self, process: "NotifierProcess") -> None:
        self._process = process

    def describe(self) -> Iterable[Metric]:
        """Every metric, without a value."""
        return families().values()

    def collect(self) -> Iterable[Metric]:
        """Every metric as it is now."""
        told, counts, notifier = families(), self._process.counts, self._process.notifier

        def tell(name: str, value: float, *labels: str) -> None:
            told[f"firstcome_notifier_{name}"].add_metric(labels, value)

        tell("at_work", float(notifier is not None))
        tell("store_up", float(self._process.store_answers))
        tell("messages", counts.messages)
        tell("purchases", counts.purchases)
        for result in ("taken", "failed"):
            tell("attempts", counts.attempts[result], result)
        tell("given_up", counts.given_up)
        if notifier is None:
            return told.values()
        tell("webhooks", len(notifier.receivers))
        waiting, oldest_seconds = notifier.waiting()
        tell("waiting_messages", waiting)
        tell("oldest_waiting_seconds", oldest_seconds)
        for name, receiver in notifier.receivers.items():
            tell("dead_letters", receiver.dead_letters, name)
        return told.values()
