"""What a model is: declaration, gates, rows, bundle. Everyone may import this room; it imports no other."""
