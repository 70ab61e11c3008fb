"""Readers of single image files: headers, and pixels as NumPy arrays.

The modules here know nothing of captures or directions; these belong in the folder above.
"""
