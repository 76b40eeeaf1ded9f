"""What monitoring can read of the daemon: every metric by name, with its meaning, and how it follows from the belief.

Values are read when they are asked for, in the daemon's own loop: a daemon that hangs is not told of by an old number
but by no answer. Times are in seconds, as monitoring has them; as floats they are for looking at and for thresholds,
never for computing with. What every name means for ops: `docs/ops/metrics.md`, which is made from this file.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from clockd.host import HostClock, ReceiveTimes
from clockd.keeper import Keeper, Source
from clockd.ntp.exchange import Reason
from clockd.states import STATES, WHYS, Why
from model.clock import growth_ns, rate_growth_ns
from model.track import extent, later, straight

VERDICTS: Final = ("agrees", "echo", "heard", "silent", "denied", "falseticker", "smears")
REACH_BITS: Final = 8
_PART: Final = 1e-12
ANSWER_WITHIN_SECONDS: Final = 5.0


class MetricsPortError(Exception):
    """The port for monitoring cannot be opened. The message says why."""


class Watched(Protocol):
    """The daemon, as far as it is told of."""

    keeper: Keeper
    host: HostClock
    receive_times: ReceiveTimes
    host_name: str
    published_raw_ns: int
    troubles: Counter[str]
    local_reference: bool

    def rejected(self, name: str) -> Mapping[str, int]:
        """How many packets of a source were not taken, by reason."""


def families() -> dict[str, Any]:
    """Every metric of clockd, without a value."""
    source = ["source"]
    made: tuple[Metric, ...] = (
        GaugeMetricFamily("clockd_host_info", "1: the host's name in logs and bundles.", labels=["host"]),
        GaugeMetricFamily("clockd_offset_seconds", "UTC − this host's CLOCK_REALTIME. Absent where there is no time."),
        GaugeMetricFamily(
            "clockd_bound_seconds", "The corrected time is true to ± this, now. Absent where there is no time."
        ),
        GaugeMetricFamily(
            "clockd_bound_part_seconds",
            "What the bound is made of: what the exchanges leave open; how little the rate is known, since the last"
            " update; how much it may have changed since. Together at least the bound.",
            labels=["part"],
        ),
        GaugeMetricFamily(
            "clockd_drift_alone_seconds", "What the bound would be if nothing were known of the rate but its limit."
        ),
        GaugeMetricFamily("clockd_update_age_seconds", "Since the last update of the belief."),
        GaugeMetricFamily("clockd_page_age_seconds", "Since the page was last published; it is every second."),
        GaugeMetricFamily("clockd_frequency_ratio", "How much faster UTC runs than this host's oscillator."),
        GaugeMetricFamily("clockd_frequency_bound_ratio", "That is true to ± this."),
        GaugeMetricFamily("clockd_drift_limit_ratio", "How much the oscillator may be off, as stated."),
        GaugeMetricFamily("clockd_wander_limit_ratio_per_second", "How fast that may change, as believed now."),
        GaugeMetricFamily("clockd_state", "1 for the state that the clock is in.", labels=["state"]),
        CounterMetricFamily("clockd_updates", "Evidence so far: the number that stamps name."),
        CounterMetricFamily(
            "clockd_troubles",
            "Looks at the evidence at which something was wrong, by what it was.",
            labels=["why"],
        ),
        CounterMetricFamily("clockd_wall_clock_steps", "Jumps of CLOCK_REALTIME by more than 1 ms that were seen."),
        GaugeMetricFamily("clockd_sources", "Sources that are asked."),
        GaugeMetricFamily("clockd_sources_agreeing", "Of those that were heard at the last update: who agree."),
        GaugeMetricFamily("clockd_stratum", "This host's own."),
        GaugeMetricFamily("clockd_local_reference", "1 where this host's own clock is taken for true, as stated."),
        GaugeMetricFamily("clockd_source_offset_seconds", "What a source says, less what is believed.", labels=source),
        GaugeMetricFamily("clockd_source_half_width_seconds", "A source's word is true to ± this.", labels=source),
        GaugeMetricFamily("clockd_source_delay_seconds", "Round trip of its newest exchange.", labels=source),
        GaugeMetricFamily(
            "clockd_source_root_distance_seconds", "How far a source may be off, by its own word.", labels=source
        ),
        GaugeMetricFamily("clockd_source_age_seconds", "Since a source was last heard.", labels=source),
        GaugeMetricFamily("clockd_source_reach_ratio", "Of its last eight questions: answered.", labels=source),
        GaugeMetricFamily("clockd_source_unanswered", "Questions in a row that it did not answer.", labels=source),
        GaugeMetricFamily("clockd_source_poll_seconds", "Between two questions, for now.", labels=source),
        GaugeMetricFamily("clockd_source_stratum", "A source's own.", labels=source),
        GaugeMetricFamily("clockd_source_verdict", "1 for what is thought of a source.", labels=["source", "verdict"]),
        CounterMetricFamily(
            "clockd_packets_rejected", "Packets that were not taken, by reason.", labels=["source", "reason"]
        ),
    )
    return {family.name: family for family in made}


class ClockMetrics(Collector):
    """Tells of one daemon; to be asked in its loop."""

    def __init__(self, daemon: Watched) -> None:
        self._daemon = daemon

    def describe(self) -> Iterable[Metric]:
        """Every metric, without a value."""
        return families().values()

    def collect(self) -> Iterable[Metric]:
        """Every metric as it is now."""
        told, daemon = families(), self._daemon
        keeper, now_raw_ns = daemon.keeper, daemon.host.raw_ns()

        def tell(name: str, value: float, *labels: str) -> None:
            told[name].add_metric(labels, value)

        tell("clockd_host_info", 1, daemon.host_name)
        self._tell_bound(tell, now_raw_ns)
        for state in STATES:
            tell("clockd_state", float(keeper.belief.state is state), str(state))
        for why in WHYS:
            if why is not Why.NOTHING:
                tell("clockd_troubles", daemon.troubles[why], str(why))
        tell("clockd_page_age_seconds", (now_raw_ns - daemon.published_raw_ns) / 1e9)
        tell("clockd_drift_limit_ratio", keeper.oscillator.drift_ppb / 1e9)
        tell("clockd_wander_limit_ratio_per_second", keeper.oscillator.wander_ppt_s * _PART)
        tell("clockd_updates", keeper.belief.update)
        tell("clockd_wall_clock_steps", daemon.receive_times.steps)
        tell("clockd_sources", len(keeper.sources))
        tell("clockd_sources_agreeing", keeper.belief.agreeing)
        tell("clockd_stratum", keeper.stratum)
        tell("clockd_local_reference", float(daemon.local_reference))
        known = keeper.offset(now_raw_ns)
        middle_ns = None if known is None else (known.earliest_ns + known.latest_ns) // 2
        for source in keeper.sources.values():
            self._tell_source(tell, source, middle_ns, now_raw_ns)
        return told.values()

    def _tell_bound(self, tell: Any, now_raw_ns: int) -> None:
        keeper, host = self._daemon.keeper, self._daemon.host
        track = keeper.belief.track
        if track is None:
            return
        oscillator = keeper.oscillator
        at_update, now = straight(track), straight(later(track, now_raw_ns, oscillator))
        age_ns = now_raw_ns - track.as_of_raw_ns
        rate_ns = rate_growth_ns(age_ns, at_update.rate_bound_ppt, 0)
        wander_ns = rate_growth_ns(age_ns, at_update.rate_bound_ppt, oscillator.wander_ppt_s) - rate_ns
        raw_ns, realtime_ns = host.raw_ns(), host.realtime_ns()  # one right after the other: they are compared
        tell("clockd_offset_seconds", (now.offset_ns + raw_ns - realtime_ns) / 1e9)
        tell("clockd_bound_seconds", now.bound_ns / 1e9)
        tell("clockd_bound_part_seconds", at_update.bound_ns / 1e9, "exchanges")
        tell("clockd_bound_part_seconds", rate_ns / 1e9, "rate")
        tell("clockd_bound_part_seconds", wander_ns / 1e9, "wander")
        tell("clockd_drift_alone_seconds", (at_update.bound_ns + growth_ns(age_ns, oscillator.drift_ppb)) / 1e9)
        tell("clockd_update_age_seconds", age_ns / 1e9)
        tell("clockd_frequency_ratio", now.rate_ppt * _PART)
        tell("clockd_frequency_bound_ratio", now.rate_bound_ppt * _PART)

    def _tell_source(self, tell: Any, source: Source, middle_ns: int | None, now_raw_ns: int) -> None:
        name = source.name
        verdict = "echo" if source.verdict.startswith("echo") else source.verdict
        for possible in VERDICTS:
            tell("clockd_source_verdict", float(verdict == possible), name, possible)
        tell("clockd_source_reach_ratio", source.reach.bit_count() / REACH_BITS, name)
        tell("clockd_source_unanswered", source.poll.unanswered, name)
        tell("clockd_source_poll_seconds", source.poll.interval_seconds, name)
        rejected = self._daemon.rejected(name)
        for reason in Reason:
            tell("clockd_packets_rejected", rejected.get(str(reason), 0), name, str(reason))
        if source.voice is None:
            return
        newest, known = source.voice.newest, extent(source.voice.track)
        if middle_ns is not None:
            tell("clockd_source_offset_seconds", ((known.earliest_ns + known.latest_ns) // 2 - middle_ns) / 1e9, name)
        tell("clockd_source_half_width_seconds", (known.latest_ns - known.earliest_ns) / 2e9, name)
        tell("clockd_source_delay_seconds", (newest.received_raw_ns - newest.sent_raw_ns) / 1e9, name)
        tell("clockd_source_root_distance_seconds", newest.distance_ns / 1e9, name)
        tell("clockd_source_age_seconds", (now_raw_ns - newest.received_raw_ns) / 1e9, name)
        tell("clockd_source_stratum", newest.stratum, name)


class InLoop(Collector):
    """Has a collector asked in a loop, by the thread that serves monitoring."""

    def __init__(self, collector: Collector, loop: asyncio.AbstractEventLoop) -> None:
        self._collector, self._loop = collector, loop

    def collect(self) -> Iterable[Metric]:
        """What it tells.

        Raises:
            TimeoutError: the loop stands still; then monitoring gets no answer either.
        """

        async def ask() -> list[Metric]:
            return list(self._collector.collect())

        return asyncio.run_coroutine_threadsafe(ask(), self._loop).result(ANSWER_WITHIN_SECONDS)


def serve_metrics(host: str, port: int, collector: Collector) -> None:
    """Answer monitoring on a port, from a thread that ends with the process.

    Raises:
        MetricsPortError: the port cannot be opened.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(InLoop(collector, asyncio.get_running_loop()))
    try:
        start_http_server(port, host, registry)
    except OSError as error:
        raise MetricsPortError(error.strerror or str(error)) from error
