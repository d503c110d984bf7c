"""The assignment's loop as its text describes it: the yardstick for `study_speed.py`.

PIL images, torchvision transforms, a DataLoader, float32, one run after another on all cores. Loss and accuracy of an
epoch are the running ones, taken from each batch as it is trained on; the test set is read once after every epoch.
Nothing is slowed down: the images are held in memory as arrays, as torchvision's own CIFAR-10 dataset holds them, so
that a folder of image files is not read and decoded anew in every epoch.

    python benchmarks/plain_loop.py data/<dataset> --models resnet18 resnet50 --fractions 1/16 1/2 1 --epochs 1
"""

import argparse
import json
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from scalestudy.data.store import Store
from scalestudy.data.subsets import subset_indices

TRANSFORM = transforms.Compose(
    [
        transforms.ToTensor(),
        transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ]
)


class Images(Dataset):
    """Images as arrays, uint8 [N, H, W, 3], handed out as transformed PIL images."""

    def __init__(self, images: np.ndarray, labels: np.ndarray) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return TRANSFORM(Image.fromarray(self.images[index])), int(self.labels[index])


def train_epoch(
    model: nn.Module, loader: DataLoader, optimizer: torch.optim.Optimizer, device: torch.device
) -> tuple[float, float]:
    """Train on every batch once; return the running loss per image and the running accuracy."""
    model.train()
    loss_sum = correct = total = 0.0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        optimizer.zero_grad()
        logits = model(images)
        loss = nn.functional.cross_entropy(logits, labels)
        loss.backward()
        optimizer.step()
        loss_sum += loss.item() * len(labels)
        correct += (logits.argmax(1) == labels).sum().item()
        total += len(labels)
    return loss_sum / total, correct / total


@torch.no_grad()
def evaluate(model: nn.Module, loader: DataLoader, device: torch.device) -> tuple[float, float]:
    """Return the mean loss per image and the accuracy over a whole split."""
    model.eval()
    loss_sum = correct = total = 0.0
    for images, labels in loader:
        images, labels = images.to(device), labels.to(device)
        logits = model(images)
        loss_sum += nn.functional.cross_entropy(logits, labels).item() * len(labels)
        correct += (logits.argmax(1) == labels).sum().item()
        total += len(labels)
    return loss_sum / total, correct / total


def train(
    model_name: str, train_set: Dataset, test_set: Dataset, classes: int, args: argparse.Namespace
) -> dict:
    """Train one model from scratch; return its seconds of training and of measuring, and its last accuracies."""
    device = torch.device(args.device)
    torch.manual_seed(0)
    model = torchvision.models.get_model(model_name, weights=None)
    model.fc = nn.Linear(model.fc.in_features, classes)
    model.to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    options = {"batch_size": args.batch_size, "num_workers": args.workers}
    train_loader = DataLoader(train_set, shuffle=True, **options)
    test_loader = DataLoader(test_set, **options)
    training = measuring = 0.0
    for _ in range(args.epochs):
        began = time.perf_counter()
        train_loss, train_accuracy = train_epoch(model, train_loader, optimizer, device)
        middle = time.perf_counter()
        test_loss, test_accuracy = evaluate(model, test_loader, device)
        training += middle - began
        measuring += time.perf_counter() - middle
    return {
        "model": model_name,
        "images": len(train_set),
        "train_seconds": training,
        "measure_seconds": measuring,
        "train_loss": train_loss,
        "train_accuracy": train_accuracy,
        "test_loss": test_loss,
        "test_accuracy": test_accuracy,
    }


def main() -> None:
    """Run every combination, one after another; print a line for each and, at the end, one JSON document."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("store", type=Path, help="folder of a prepared dataset")
    parser.add_argument("--models", nargs="+", default=["resnet18", "resnet50"])
    parser.add_argument(
        "--fractions", nargs="+", type=Fraction, default=[Fraction(1, 16), Fraction(1, 2), Fraction(1)]
    )
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--workers", type=int, default=0, help="DataLoader workers")
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    store = Store.open(args.store)
    images, labels = np.array(store.train_images), np.array(store.train_labels)
    test_set = Images(np.array(store.test_images), np.array(store.test_labels))
    runs = []
    for model in args.models:
        for fraction in args.fractions:
            chosen, _ = subset_indices(labels, fraction, 0)
            run = train(
                model, Images(images[chosen], labels[chosen]), test_set, len(store.info["classes"]), args
            )
            runs.append({**run, "fraction": str(fraction)})
            seconds = f"{run['train_seconds']:.1f} s training, {run['measure_seconds']:.1f} s measuring"
            print(f"{model} {fraction}: {seconds}", file=sys.stderr)
    print(json.dumps(runs))


if __name__ == "__main__":
    main()
