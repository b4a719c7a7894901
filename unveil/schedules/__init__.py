"""Noise schedules: t in [0, 1] -> (alpha, sigma) of x_t = alpha x + sigma R e, and grids of times to visit."""

from unveil.schedules.discrete import Discrete as Discrete
from unveil.schedules.geometric_ve import GeometricVE as GeometricVE
from unveil.schedules.grids import draw_times as draw_times
from unveil.schedules.grids import even as even
from unveil.schedules.grids import subsequence as subsequence
from unveil.schedules.linear_vp import LinearVP as LinearVP
from unveil.schedules.song_ermon import SuggestedVE as SuggestedVE
from unveil.schedules.song_ermon import langevin_step as langevin_step
from unveil.schedules.song_ermon import level_ratio as level_ratio
from unveil.schedules.song_ermon import suggest_ve as suggest_ve
