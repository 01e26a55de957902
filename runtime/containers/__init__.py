"""How a manifest and a digest travel inside each kind of model file; one file a kind."""
