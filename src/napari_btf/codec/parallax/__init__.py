"""The parallax codec: it finds where a view ray meets the surface, and the colour there.

It serves captures of many views.
"""
