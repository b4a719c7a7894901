"""Restoration-based generative models: chains of degradations, learned priors, and the model that is made of both."""

from unveil.models.restoration.adversarial import Adversarial as Adversarial
from unveil.models.restoration.chains import naive_super_resolution as naive_super_resolution
from unveil.models.restoration.chains import noise_levels as noise_levels
from unveil.models.restoration.chains import noising as noising
from unveil.models.restoration.chains import super_resolution as super_resolution
from unveil.models.restoration.degradation import Degradation as Degradation
from unveil.models.restoration.degradation import Level as Level
from unveil.models.restoration.model import Restoration as Restoration
from unveil.models.restoration.priors import DSWD as DSWD
from unveil.models.restoration.priors import KLD as KLD
from unveil.models.restoration.priors import MMD as MMD
from unveil.models.restoration.priors import MMSE as MMSE
from unveil.models.restoration.priors import LearnedPrior as LearnedPrior
from unveil.models.restoration.solver_prior import RestorationPrior as RestorationPrior
