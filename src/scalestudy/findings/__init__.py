"""What was found: typed numbers and readings, without a word of English. Sentences are made in `topics`."""
