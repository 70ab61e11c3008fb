"""Work of the docks that runs in threads."""
