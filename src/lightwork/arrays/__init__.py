"""Array families: where an array's bytes, blocks and padding lie. `hashing` and `parcel` stand on it."""
