"""Container images from this checkout: of what, by whichever builder works here, and known by which commit."""
