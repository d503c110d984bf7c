"""The analysis' names for `report.wording`, until its sentences have moved to where they are shown."""

from scalestudy.report.wording import (
    capitalised,
    counted,
    duration,
    listing,
    number_word,
    percent,
    point_range,
    points,
    rounded,
    signed,
    signed_points,
)
from scalestudy.report.wording import count as thousands
from scalestudy.report.wording import percent_range as share_range

__all__ = [
    "capitalised",
    "counted",
    "duration",
    "listing",
    "number_word",
    "percent",
    "point_range",
    "points",
    "rounded",
    "share_range",
    "signed",
    "signed_points",
    "thousands",
]
