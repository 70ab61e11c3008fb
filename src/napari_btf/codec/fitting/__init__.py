"""What the trainings of all codecs share."""
