"""Gaussian diffusion: DDPM, SMLD, the SDEs between them, and any of these with coloured noise."""

from unveil.models.diffusion.loss import Distance as Distance
from unveil.models.diffusion.loss import Space as Space
from unveil.models.diffusion.model import Diffusion as Diffusion
from unveil.models.diffusion.prediction import Condition as Condition
from unveil.models.diffusion.prediction import Predict as Predict
from unveil.models.diffusion.sampling import SAMPLERS as SAMPLERS
