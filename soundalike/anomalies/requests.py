"""Requests of models of what is normal: defaults, limits and descriptions, the same for every door.

Little is imported, so that the command line can describe its options without NumPy.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from soundalike.errors import ParameterError
from soundalike.parameters import about

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
