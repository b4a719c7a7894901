"""How far apart two distributions are, from samples or from their moments."""

from unveil.divergences.distances import squared_distances as squared_distances
from unveil.divergences.distributional_sliced import SliceMap as SliceMap
from unveil.divergences.distributional_sliced import (
    distributional_sliced_wasserstein as distributional_sliced_wasserstein,
)
from unveil.divergences.distributional_sliced import likeness as likeness
from unveil.divergences.distributional_sliced import slicing_loss as slicing_loss
from unveil.divergences.frechet import Moments as Moments
from unveil.divergences.frechet import frechet_gaussians as frechet_gaussians
from unveil.divergences.frechet import frechet_samples as frechet_samples
from unveil.divergences.mmd import MixtureRBF as MixtureRBF
from unveil.divergences.mmd import Polynomial as Polynomial
from unveil.divergences.mmd import mmd2 as mmd2
from unveil.divergences.sliced_wasserstein import sliced_wasserstein as sliced_wasserstein
from unveil.divergences.sliced_wasserstein import unit_directions as unit_directions
from unveil.divergences.structural import structural_similarity as structural_similarity
