"""Views that know no capture."""
