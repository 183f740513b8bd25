"""Requests of models of what is normal: defaults, limits and descriptions, the same for every door.

Little is imported, so that the command line can describe its options without NumPy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from soundalike.errors import ParameterError
from soundalike.parameters import about, field_of

#: How to choose the distance of a model.
CHOICES = ("auto", "both", "neighbours", "mahalanobis")
#: Share of false alarms of a model that asks for none.
DEFAULT_RATE = 0.05
#: A letter that stands alone in a file's name counts the takes of a session.
_TAKE = re.compile(r"[-_ .][A-Za-z](?=[-_ .]|$)")


@dataclass(frozen=True, kw_only=True)
class LearnRequest:
    """What is learned, and how.

    Raises
    ------
    ParameterError
        A value is out of its range.
    """

    method: str | None = field(
        default=None,
        metadata=about(
            "distance from what is normal: both, neighbours or mahalanobis; auto takes both unless "
            "another is clearly better when recordings are left out; default: the model's, else auto"
        ),
    )
    false_alarm_rate: float | None = field(
        default=None,
        metadata=about(
            "share of normal recordings that may be called anomalous; N recordings promise no less than "
            "1/(N+1); default: the model's, else 0.05"
        ),
    )
    group_pattern: str | None = field(
        default=None,
        metadata=about(
            "regular expression for file names: recordings with the same first group belong to one "
            "session and are left out together; default: names that differ in a single letter, like "
            "pump-7-A and pump-7-B"
        ),
    )
    replace: bool = field(
        default=False, metadata=about("forget what was learned before, instead of adding to it")
    )
    accept: bool = field(
        default=False,
        metadata=about("note the recordings as accepted: they were checked and are normal after all"),
    )

    def __post_init__(self) -> None:
        if self.method is not None and self.method not in CHOICES:
            raise ParameterError(f"method is {self.method!r}; choose {', '.join(CHOICES)}")
        rate = self.false_alarm_rate
        if rate is not None and not 0 < rate < 1:
            raise ParameterError(f"false_alarm_rate is {rate}; give a share between 0 and 1, like 0.05")
        if self.accept and self.replace:
            raise ParameterError("accept adds to a model and replace forgets it; give one of them")
        try:
            re.compile(self.group_pattern or "")
        except (re.error, RecursionError, OverflowError) as exc:
            raise ParameterError(f"group_pattern is {self.group_pattern!r}: {exc}") from exc

    def group_of(self, stem: str) -> str:
        r"""Return the session that a file's name, without folder and suffix, belongs to; may be empty.

        Examples
        --------
        >>> LearnRequest().group_of("1-100032-B"), LearnRequest().group_of("pump 07")
        ('1-100032', 'pump 07')
        >>> LearnRequest(group_pattern=r"^(\d+)").group_of("12_03")
        '12'
        """
        if self.group_pattern is None:
            return _TAKE.sub("", stem)
        found = re.search(self.group_pattern, stem)
        if found is None:
            return ""
        return found.group(1 if found.re.groups else 0) or ""


@dataclass(frozen=True, kw_only=True)
class WatchRequest:
    """How a folder is watched, what is told anomalies, and which events are shown.

    Raises
    ------
    ParameterError
        A value is out of its range.
    """

    once: bool = field(
        default=False,
        metadata=about("score what is new, and end: exit status 1 if a recording is anomalous"),
    )
    settle_s: float = field(
        default=2.0,
        metadata=about("a file is complete after so many seconds without a change", ge=0, le=3600),
    )
    rescan_s: float = field(
        default=60.0,
        metadata=about("list the folder this often, for disks without notifications", ge=1, le=86400),
    )
    command: str | None = field(
        default=None,
        metadata=about(
            "run this program for each anomaly, which it gets as JSON on its standard input; words are "
            "split as a shell does, but no shell runs"
        ),
    )
    webhook: str | None = field(
        default=None,
        metadata=about(
            "post each anomaly as JSON to this address, signed with SOUNDALIKE_WEBHOOK_SECRET; its host "
            "must be allowed"
        ),
    )
    webhook_hosts: tuple[str, ...] = field(
        default=(),
        metadata=about(
            "host that webhooks may be sent to, like example.org or 10.0.0.5:8080; default: "
            "SOUNDALIKE_WEBHOOK_HOSTS, separated by commas"
        ),
    )
    syslog: str | None = field(
        default=None,
        metadata=about("write each anomaly to a system log: local, HOST or HOST:PORT by UDP"),
    )
    metrics_port: int | None = field(
        default=None, metadata=about("serve metrics for Prometheus at this port, under /metrics")
    )
    metrics_host: str = field(default="127.0.0.1", metadata=about("address that metrics are served at"))
    hours: float = field(default=24.0, metadata=about("show the events of so many hours", ge=0, le=1e6))
    limit: int = field(default=100, metadata=about("show at most so many events", ge=1, le=10_000))
    only_anomalous: bool = field(default=False, metadata=about("show anomalies alone"))

    def __post_init__(self) -> None:
        for name in ("settle_s", "rescan_s", "hours", "limit"):
            limits = field_of(type(self), name).metadata["limits"]
            value = getattr(self, name)
            if not limits["ge"] <= value <= limits["le"]:
                raise ParameterError(
                    f"{name} is {value:g}; give a number from {limits['ge']:g} to {limits['le']:g}"
                )
        if self.metrics_port is not None and not 0 < self.metrics_port < 65536:
            raise ParameterError(f"metrics_port is {self.metrics_port}; give a port from 1 to 65535")
        if self.once and self.metrics_port is not None:
            raise ParameterError("metrics are for a running watch; leave out --once or --metrics-port")
