"""BVH: the motion files that every animation program reads."""
