"""Models of what sounds normal, and scores of recordings against them."""

from soundalike.anomalies.model import NormalModel, fit
from soundalike.anomalies.results import NormalRecording, Region, Score

__all__ = ["NormalModel", "NormalRecording", "Region", "Score", "fit"]
