"""Statistics of scaling studies: numbers in, numbers out. Knows no runs, no files and no words."""
