"""Event files for TensorBoard, an optional extra: `tensorboard --logdir results/<study>/tensorboard`.

Nothing of it is imported unless a study asks for it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from scalestudy.errors import UserError

LogTo = Literal["none", "tensorboard"]


def require_tensorboard() -> None:
    """Raise UserError where TensorBoard is not installed, without importing it."""
    if find_spec("tensorboard") is None:
        raise UserError("TensorBoard's event files need the package tensorboard: pip install tensorboard")


class EventFiles:
    """Writes a run's epochs as scalars over optimizer steps, under the names that TensorBoard groups by."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(
            "events.out.tfevents.*"
        ):  # of an earlier start of this run: all is written anew
            old.unlink()
        self.writer = SummaryWriter(str(folder))
        self.written = 0

    def update(self, rows: Sequence[Mapping[str, float]]) -> None:
        """Write the epochs that are not written yet: after a resume, those before it, too."""
        for row in rows[self.written :]:
            for key, value in row.items():
                if key not in ("epoch", "step"):
                    self.writer.add_scalar(tag(key), value, int(row["step"]))
        self.written = len(rows)
        self.writer.flush()


@contextmanager
def event_files(log_to: LogTo, folder: Path) -> Iterator[EventFiles | None]:
    """Yield what writes event files into `folder`, or None where nothing is to be written; close them at the end."""
    if log_to == "none":
        yield None
        return
    require_tensorboard()
    files = EventFiles(folder)
    try:
        yield files
    finally:
        files.writer.close()


def tag(column: str) -> str:
    """Return TensorBoard's name of a column of metrics.csv: `accuracy/test` for `test_accuracy`."""
    split, _, measure = column.rpartition("_")
    return f"{measure}/{split}" if measure in ("loss", "accuracy") else column
