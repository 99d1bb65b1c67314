"""A value as a skeleton and buffers, and the file format that holds them (``docs/format.md``)."""
