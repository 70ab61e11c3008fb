"""What decodes images: in NumPy, by machine code, on a device."""
