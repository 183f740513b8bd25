"""Results and answers of speaker recognition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from soundalike.errors import SoundalikeError
from soundalike.speakers.thresholds import Threshold
from soundalike.types import Candidate, Enrolment


@dataclass(frozen=True, slots=True)
class EnrolmentResult:
    """Result of enrolling a recording.

    Attributes
    ----------
    uri : str
        Absolute path.
    speaker : str
    outcome : str
        ``added``, ``unchanged``, ``updated`` or ``failed``.
    recording_id : str or None
        None if it failed.
    speech_s : float
        Seconds of speech.
    warnings : tuple of str
        Damage that did not stop the decoding.
    error_code, error : str or None
        Set if it failed.
    """

    uri: str
    speaker: str
    outcome: Enrolment | Literal["failed"]
    recording_id: str | None = None
    speech_s: float = 0.0
    warnings: tuple[str, ...] = ()
    error_code: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Identification:
    """The answer to who speaks in a recording.

    Attributes
    ----------
    uri : str
    speaker : str or None
        None if no enrolled speaker has a score of at least the threshold.
    score : float
        Of the best candidate.
    threshold : Threshold
    candidates : tuple of Candidate
        The best three.
    speech_s : float
        Seconds of speech.
    encoder : str
        Name of the encoder.
    warnings : tuple of str
        Damage that did not stop the decoding.
    """

    uri: str
    speaker: str | None
    score: float
    threshold: Threshold
    candidates: tuple[Candidate, ...]
    speech_s: float
    encoder: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Verification:
    """Whether a speaker is the one in a recording.

    Attributes
    ----------
    uri : str
    speaker : str
        The claimed one.
    accepted : bool
    score : float
    threshold : Threshold
    speech_s : float
        Seconds of speech.
    encoder : str
        Name of the encoder.
    warnings : tuple of str
        Damage that did not stop the decoding.
    """

    uri: str
    speaker: str
    accepted: bool
    score: float
    threshold: Threshold
    speech_s: float
    encoder: str
    warnings: tuple[str, ...] = ()


def failed_enrolment(uri: str, name: str, error: SoundalikeError) -> EnrolmentResult:
    """Return the result of a recording that cannot be enrolled."""
    return EnrolmentResult(uri, name, "failed", error_code=error.code, error=error.message)
