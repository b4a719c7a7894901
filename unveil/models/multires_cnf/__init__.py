"""Multi-resolution continuous normalizing flows: exact likelihoods, samples, and details for small pictures."""

from unveil.models.multires_cnf.attaching import attach_finer as attach_finer
from unveil.models.multires_cnf.attaching import joined as joined
from unveil.models.multires_cnf.flow import Probe as Probe
from unveil.models.multires_cnf.flow import ResolutionFlow as ResolutionFlow
from unveil.models.multires_cnf.model import MultiResolutionCNF as MultiResolutionCNF
from unveil.models.multires_cnf.model import Noise as Noise
from unveil.models.multires_cnf.preprocessing import Levels as Levels
from unveil.models.multires_cnf.preprocessing import Logit as Logit
from unveil.models.multires_cnf.pyramid import Pyramid as Pyramid
from unveil.models.multires_cnf.training import Objective as Objective
from unveil.models.multires_cnf.training import Training as Training
