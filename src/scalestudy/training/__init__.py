"""One run, from its settings to its files."""

from scalestudy.training.startup import leave_out_the_compiler

leave_out_the_compiler()  # before any module of this package imports torchvision
