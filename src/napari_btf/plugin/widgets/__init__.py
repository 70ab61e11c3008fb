"""Views that know neither captures nor models: setters in, signals out."""
