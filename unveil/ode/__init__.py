"""Ordinary differential equations: dx/dt = field(t, x), and the change of density along them."""

from unveil.ode.adaptive import dopri5 as dopri5
from unveil.ode.divergence import augmented as augmented
from unveil.ode.divergence import exact_divergence as exact_divergence
from unveil.ode.divergence import hutchinson_divergence as hutchinson_divergence
from unveil.ode.fixed import euler as euler
from unveil.ode.fixed import heun as heun
from unveil.ode.fixed import rk4 as rk4
from unveil.ode.solution import Solution as Solution
