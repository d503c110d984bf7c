"""What is said where a figure's data are missing."""


class MissingDataError(Exception):
    """A figure's data are not there; the message says what is missing and how to get it."""
