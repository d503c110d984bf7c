"""scalestudy: one YAML file in, one finished scaling-study report out."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("scalestudy")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"
