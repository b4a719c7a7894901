"""Words that every room shares: errors, shapes, randomness and the contracts between parts."""
