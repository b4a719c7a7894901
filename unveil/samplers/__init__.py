"""From noise to data with any denoiser, any schedule and any covariance."""

from unveil.samplers.ddim import ancestral as ancestral
from unveil.samplers.ddim import ddim as ddim
from unveil.samplers.flow import encode as encode
from unveil.samplers.flow import flow_field as flow_field
from unveil.samplers.flow import probability_flow as probability_flow
from unveil.samplers.guidance import guided as guided
from unveil.samplers.langevin import annealed_langevin as annealed_langevin
from unveil.samplers.langevin import consistent_annealed as consistent_annealed
from unveil.samplers.latents import slerp as slerp
from unveil.samplers.likelihood import Likelihood as Likelihood
from unveil.samplers.likelihood import log_likelihood as log_likelihood
from unveil.samplers.reverse_sde import predictor_corrector as predictor_corrector
from unveil.samplers.reverse_sde import reverse_sde as reverse_sde
from unveil.samplers.walk import Clip as Clip
from unveil.samplers.walk import Watch as Watch
