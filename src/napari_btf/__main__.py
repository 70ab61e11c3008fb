"""``python -m napari_btf`` is the same as ``napari-btf``."""

from napari_btf.cli import main

if __name__ == "__main__":
    main()
