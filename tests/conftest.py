"""Its presence makes the helpers of this folder, such as `synthetic`, importable from every test."""
