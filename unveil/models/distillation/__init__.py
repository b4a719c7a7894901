"""Progressive distillation: a diffusion learns to take two of its own steps in one, again and again, down to one."""

from unveil.models.distillation.model import Distilled as Distilled
from unveil.models.distillation.model import Weighting as Weighting
from unveil.models.distillation.target import two_steps_in_one as two_steps_in_one
