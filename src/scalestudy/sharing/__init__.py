"""What leaves the project: research crates, tables for other documents, comparisons of studies."""
