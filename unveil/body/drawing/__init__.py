"""Pictures of bodies and skeletons, drawn by the library itself."""
