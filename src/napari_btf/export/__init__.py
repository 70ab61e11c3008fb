"""Files for other programs: images, movies, and models as CSV, JSON or ONNX.

Only writers belong here, and the reader of models in CSV. Captures are read by
`napari_btf.formats`, and the program's own model files by `napari_btf.codec.storage`.
"""
