"""Forward and backward pass of a training step on a GPU as one CUDA graph: recorded once, replayed from then on.

A GPU is through with a batch of small images before Python has asked for its thousand operations. Replayed, they are
asked for at once: the same operations, so the same numbers.
"""

from collections import Counter
from collections.abc import Callable

import torch
from torch import Tensor, nn

Pass = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
WARM_UP = (
    3  # batches that run as they are, before one is recorded: libraries choose kernels and make room for them
)


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
        """Record a batch of that shape. Nothing is computed by it, and no random number drawn."""
        self._inputs, self._targets = inputs.clone(), targets.clone()
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self._returned = self._run(self._inputs, self._targets)
        except (
            RuntimeError
        ):  # an operation that waits for the GPU, or no memory for a second copy of the maps
            self._possible = False
            torch.cuda.synchronize()
        else:
            self._gradients = [parameter.grad for parameter in self._parameters]
            self._graph = graph
