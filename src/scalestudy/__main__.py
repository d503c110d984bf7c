"""The `scalestudy` command; `python -m scalestudy` is the same."""

import os
import sys


def main() -> None:
    """Run the command line: a training job in the fork server where there is one, all else in this process."""
    if "SCALESTUDY_FORK_SERVER" in os.environ:
        from scalestudy import forkserver

        code = forkserver.hand_over(sys.argv[1:])
        if code is not None:
            sys.exit(code)

    from scalestudy.cli import main as command

    command()


if __name__ == "__main__":
    main()
