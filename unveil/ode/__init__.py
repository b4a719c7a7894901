"""Ordinary differential equations: dx/dt = field(t, x), and the change of density along them."""

from unveil.ode.adaptive import Norm as Norm
from unveil.ode.adaptive import bosh3 as bosh3
from unveil.ode.adaptive import dopri5 as dopri5
from unveil.ode.adaptive import rms as rms
from unveil.ode.divergence import Augmented as Augmented
from unveil.ode.fixed import euler as euler
from unveil.ode.fixed import heun as heun
from unveil.ode.fixed import midpoint as midpoint
from unveil.ode.fixed import rk4 as rk4
from unveil.ode.solution import Path as Path
from unveil.ode.solution import Solution as Solution
from unveil.ode.solve import Backward as Backward
from unveil.ode.solve import Method as Method
from unveil.ode.solve import Solver as Solver
from unveil.ode.solve import solve as solve
