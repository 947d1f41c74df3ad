"""What a new model starts with: its cleaned table, its features, its gates and the text of its files."""
