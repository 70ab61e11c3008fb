"""Image files of all kinds, as arrays."""
