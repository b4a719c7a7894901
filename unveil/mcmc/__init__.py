"""Samples of any energy by Markov chains: Langevin steps, exact or short, alone or kept alive in a bank."""

from unveil.mcmc.bank import Bank as Bank
from unveil.mcmc.chains import NoiseStart as NoiseStart
from unveil.mcmc.chains import Persistent as Persistent
from unveil.mcmc.chains import ShortRun as ShortRun
from unveil.mcmc.gradient import energy_gradient as energy_gradient
from unveil.mcmc.langevin import langevin as langevin
from unveil.mcmc.mala import mala as mala
from unveil.mcmc.several import joint_langevin as joint_langevin
from unveil.mcmc.step import LangevinStep as LangevinStep
from unveil.mcmc.trace import Trace as Trace
from unveil.mcmc.truncated import TruncatedKernel as TruncatedKernel
