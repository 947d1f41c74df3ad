"""The property model: its declaration, gates, card and `fit`."""
