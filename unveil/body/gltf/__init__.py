"""glTF: characters with skin and animation, for browsers, game engines and animation programs."""
