"""Known measurements y = A x + noise to images x, with any operator and any prior."""

from unveil.inverse.borders import Bordered as Bordered
from unveil.inverse.ddrm import ddrm as ddrm
from unveil.inverse.douglas_rachford import douglas_rachford as douglas_rachford
from unveil.inverse.half_quadratic import half_quadratic as half_quadratic
from unveil.inverse.posterior_sampling import posterior_sampling as posterior_sampling
from unveil.inverse.prior import DenoiserPrior as DenoiserPrior
from unveil.inverse.search import Watch as Watch
from unveil.inverse.smooth import smoothest as smoothest
from unveil.inverse.windows import Windows as Windows
from unveil.inverse.windows import blended as blended
