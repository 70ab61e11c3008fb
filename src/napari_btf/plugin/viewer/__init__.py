"""What the docks of one viewer share: models, captures, regions, layers."""
