"""Hat Diffusion EBM: a generator proposes, a diffusion distilled to one step moves, an energy refines."""

from unveil.models.hat_ebm.chains import Chain as Chain
from unveil.models.hat_ebm.chains import LatentMove as LatentMove
from unveil.models.hat_ebm.health import Health as Health
from unveil.models.hat_ebm.model import HatEBM as HatEBM
from unveil.models.hat_ebm.options import Lengths as Lengths
from unveil.models.hat_ebm.options import Objective as Objective
from unveil.models.hat_ebm.pairs import Pairs as Pairs
