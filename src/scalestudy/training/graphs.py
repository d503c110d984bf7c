"""Forward and backward pass of a training step on a GPU as one CUDA graph: recorded once, replayed from then on.

A GPU is through with a batch of small images before Python has asked for its thousand operations. Replayed, they are
asked for at once: the same operations, so the same numbers.
"""

from collections import Counter
from collections.abc import Callable
from contextlib import suppress

import torch
from torch import Tensor, nn

Pass = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
# Batches that run as they are, before one is recorded: libraries choose kernels and make room for them.
WARM_UP = 3


class Recorded:
    """A function of a batch that leaves its gradients on the model's parameters, recorded.

    The first shape of a batch to come often enough is recorded; batches of other shapes, as a pass may end with, run as
    they are. What the function returns is overwritten by the next call. A model that cannot be recorded runs as it is.
    """

    def __init__(self, gradients: Pass, model: nn.Module) -> None:
        self._run = gradients
        self._parameters = list(model.parameters())
        self._seen: Counter[torch.Size] = Counter()
        self._graph: torch.cuda.CUDAGraph | None = None
        self._possible = True

    @property
    def recorded(self) -> bool:
        """Whether there is a graph to replay."""
        return self._graph is not None

    def __call__(self, inputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the gradients of a batch; return what the function returns."""
        if self._graph is None and self._possible:
            self._seen[inputs.shape] += 1
            if self._seen[inputs.shape] > WARM_UP:
                self._record(inputs, targets)
        if self._graph is None or inputs.shape != self._inputs.shape:
            return self._run(inputs, targets)
        self._inputs.copy_(inputs)
        self._targets.copy_(targets)
        self._graph.replay()
        for parameter, gradient in zip(self._parameters, self._gradients, strict=True):
            parameter.grad = gradient
        return self._returned

    def _record(self, inputs: Tensor, targets: Tensor) -> None:
        """Record a batch of that shape. Nothing is computed by it, and no random number drawn.

        Not where it fails, because an operation waits for the GPU, say; and not where what the graph keeps for itself
        leaves too little memory for a batch of another shape and for measuring, which cannot use that.
        """
        inputs, targets = inputs.clone(), targets.clone()
        stream, graph = torch.cuda.current_stream(), torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                before = torch.cuda.memory_reserved()
                returned = self._run(inputs, targets)
            self._possible = torch.cuda.mem_get_info()[0] >= torch.cuda.memory_reserved() - before
        except RuntimeError:
            self._possible = False
            torch.cuda.set_stream(stream)
            torch.cuda.synchronize()
            _end_of_recording()
        if self._possible:
            self._graph, self._inputs, self._targets, self._returned = graph, inputs, targets, returned
            self._gradients = [parameter.grad for parameter in self._parameters]
        for parameter in self._parameters:
            parameter.grad = None  # a replay puts its own there


def _end_of_recording() -> None:
    """Let the GPU's generator draw numbers again: after a recording that failed, older versions of torch refuse to."""
    generator = torch.cuda.default_generators[torch.cuda.current_device()]
    with suppress(RuntimeError, AttributeError):
        generator.graphsafe_set_state(generator.clone_state())
