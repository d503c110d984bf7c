"""The one exception that a person is meant to read."""


class UserError(Exception):
    """Something that the user can mend: one clear line saying what is wrong, where, and what to do.

    The command line prints it to standard error and exits with code 2, without a traceback.
    """
