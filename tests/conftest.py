"""Makes the helpers of this folder (such as `synthetic`) importable from every test: pytest adds it to the path."""
