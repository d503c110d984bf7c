"""What a person sees of a run: a live bar on a terminal, a few plain lines per epoch elsewhere."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Row = dict[str, float | int]


class RunProgress:
    """Progress of one run. A context manager, so that a bar never outlives its run."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.steps = 0
        self.bar = _bar() if sys.stdout.isatty() else None
        self.task: TaskID | None = None
        self.started = time.monotonic()
        self.first_step = 0

    def __enter__(self) -> "RunProgress":
        if self.bar is not None:
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def say(self, text: str) -> None:
        """Print one line."""
        if self.bar is None:
            print(text, flush=True)
        else:
            self.bar.console.print(text, markup=False)

    def start(self, step: int, steps: int) -> None:
        """Begin to measure, with `step` of `steps` optimizer steps done already."""
        self.started, self.first_step, self.steps = time.monotonic(), step, steps

    def start_epoch(self, epoch: int, batches: int) -> None:
        """Show a new bar over the epoch's batches."""
        if self.bar is not None:
            if self.task is not None:
                self.bar.remove_task(self.task)
            self.task = self.bar.add_task(f"epoch {epoch}/{self.epochs}", total=batches, numbers="")

    def batch(self, loss: float, accuracy: float, images_per_second: float) -> None:
        """Move the bar by one batch."""
        if self.bar is not None and self.task is not None:
            numbers = f"loss {loss:.3f}  accuracy {accuracy:.3f}  {images_per_second:,.0f} images/s"
            self.bar.update(self.task, advance=1, numbers=numbers)

    @property
    def shows_batches(self) -> bool:
        """Whether batches are shown at all (their numbers cost a synchronisation on a GPU)."""
        return self.bar is not None

    def seconds_left(self, step: int) -> float | None:
        """Return the seconds to the end of the run, judged by the steps since `start`; None before the first one."""
        done = step - self.first_step
        return (time.monotonic() - self.started) / done * (self.steps - step) if done else None

    def _left(self, step: int) -> str:
        left = self.seconds_left(step)
        return "" if left is None else f"  {left:,.0f} s left"

    def say_step(self, step: int) -> None:
        """Print how far a long epoch is, where no bar shows it."""
        if self.bar is None:
            self.say(f"step {step}/{self.steps}{self._left(step)}")

    def epoch_done(self, row: Row, step: int) -> None:
        """Print the epoch's line."""
        self.say(
            f"epoch {row['epoch']}/{self.epochs}  step {step}/{self.steps}  "
            f"train: loss {row['train_loss']:.4f}, accuracy {row['train_accuracy']:.4f}  "
            f"test: loss {row['test_loss']:.4f}, accuracy {row['test_accuracy']:.4f}  "
            f"{row['images_per_second']:,.0f} images/s{self._left(step)}"
        )


def _bar() -> "Progress":
    """Return the live bar; its package is imported here, as most runs are jobs without a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.fields[numbers]}"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=Console(highlight=False, soft_wrap=True),
    )
