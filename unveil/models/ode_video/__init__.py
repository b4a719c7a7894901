"""Video as a path: frames to a state, an ordinary differential equation that moves it to any time, and states to frames."""

from unveil.models.ode_video.encoders import Encoded as Encoded
from unveil.models.ode_video.encoders import RecurrentEncoder as RecurrentEncoder
from unveil.models.ode_video.encoders import StackEncoder as StackEncoder
from unveil.models.ode_video.learning import Learning as Learning
from unveil.models.ode_video.losses import gaussian_log_density as gaussian_log_density
from unveil.models.ode_video.losses import kl_to_standard as kl_to_standard
from unveil.models.ode_video.losses import two_terms as two_terms
from unveil.models.ode_video.model import ODEVideo as ODEVideo
from unveil.models.ode_video.trajectories import Trajectory as Trajectory
from unveil.models.ode_video.trajectories import trajectory as trajectory
