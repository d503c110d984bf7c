"""What the shell offers for a half-typed word (`scalestudy --install-completion`)."""

from collections.abc import Callable, Iterable

from scalestudy.study import paths
from scalestudy.study.config import CONFIG_FOLDER


def one_of(values: Callable[[], Iterable[str]]) -> Callable[[str], list[str]]:
    """Return a completer that offers the values that begin with what is typed; they are asked for only then."""
    return lambda incomplete: sorted(each for each in values() if each.startswith(incomplete))


def studies() -> list[str]:
    """Return the studies of `config/`."""
    return [path.stem for path in CONFIG_FOLDER.glob("*.yaml")]


def studies_with_results() -> list[str]:
    """Return the studies that have a folder of results."""
    return [path.name for path in paths.RESULTS.glob("*") if path.is_dir()]
