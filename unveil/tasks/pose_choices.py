"""What the commands on poses offer. Imports no recipe, so that the command line can tell it at once."""

POSES = (".npz", ".bvh", ".glb", ".json")
"""What a pose is read from."""
WRITTEN = (*POSES, ".obj", ".ply")
"""What a pose is written as; the last two hold the skin alone."""
CHARACTERS = (".glb", ".bvh", ".bvh.gz")
"""What a character is read from, by the editor."""
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
"""What a picture behind the editor's bodies is read from."""
REFINED = 10
"""Steps of refinement after the network."""
