"""OpenEXR images: half or float values; grey, RGB, or one channel per wavelength.

The OpenEXR library crashes on some damaged files, or reads what is not theirs. So `header` reads
headers with code of this package, and `chunks` decodes by NumPy what is stored plainly or packed by
zlib, which is most files. This is as safe as Python, and costs nothing per file. Only the
compressions that would be long to write (PIZ, PXR24, B44, DWA, RLE, HTJ2K) are left to the library,
in one child process that lives as long as this one and may die (`child` and `worker`).
"""

from napari_btf.formats.images.exr.header import MAGIC
from napari_btf.formats.images.exr.reader import choose_channels, decode, header

__all__ = ["MAGIC", "choose_channels", "decode", "header"]
