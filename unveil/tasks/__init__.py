"""What one can do: train, load, sample, evaluate, likelihood, export, doctor.

Nothing is imported here, and no module loads torch before it has checked what it was given.
"""
