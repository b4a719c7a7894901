"""The body that comes with the library, made from a table of measurements."""
