"""Families of models: each is trained by its stages and draws samples; a family is a file or a folder."""
