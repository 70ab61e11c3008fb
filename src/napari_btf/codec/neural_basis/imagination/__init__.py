"""A network that imagines pairs in the gaps between the captured ones."""
