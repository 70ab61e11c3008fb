"""The parallax codec: where a view ray meets the surface, then its colour."""
