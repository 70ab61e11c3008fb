"""The napari plugin: the only package that imports napari, Qt or magicgui."""
