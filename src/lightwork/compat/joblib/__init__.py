"""joblib's face: its names, defaults and corner cases, on lightwork."""
