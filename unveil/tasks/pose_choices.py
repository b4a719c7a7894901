"""What the commands on poses offer. Imports no recipe, so that the command line can tell it at once."""

POSES = (".npz", ".bvh", ".glb", ".json")
"""What a pose is read from."""
WRITTEN = (*POSES, ".obj", ".ply")
"""What a pose is written as; the last two hold the skin alone."""
REFINED = 10
"""Steps of refinement after the network."""
