"""Source `digits`: the 1,797 handwritten digits that scikit-learn carries, 8 x 8 pixels in 17 greys.

From E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits (UCI, 1998). White on black.
"""

import numpy as np

from scalestudy.data.pixels import resize_all
from scalestudy.data.sources import Look, Written, check_num_classes
from scalestudy.data.store import StoreWriter
from scalestudy.data.subsets import split_off_test
from scalestudy.study.dataset import Digits


def look(settings: Digits) -> Look:
    """Return what is known of the digits."""
    return Look(settings.known_sizes(), 10)


def write(settings: Digits, image_size: int, writer: StoreWriter) -> Written:
    """Write the digits, enlarged bilinearly; the split is stratified, by `split_seed`."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    classes = [str(name) for name in digits.target_names]
    check_num_classes(classes, settings.num_classes)
    labels = digits.target.astype(np.int64)
    train, test = split_off_test(labels, settings.test_fraction, settings.split_seed)

    grey = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    images = resize_all(np.repeat(grey[..., np.newaxis], 3, axis=3), image_size)
    writer.append("train", images[train], labels[train])
    writer.append("test", images[test], labels[test])
    return Written(classes)
