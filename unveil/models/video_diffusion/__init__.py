"""Masked conditional video diffusion: one model that predicts, recalls, generates and interpolates frames."""

from unveil.models.video_diffusion.folding import fold as fold
from unveil.models.video_diffusion.folding import unfold as unfold
from unveil.models.video_diffusion.layout import TASKS as TASKS
from unveil.models.video_diffusion.layout import Layout as Layout
from unveil.models.video_diffusion.layout import Task as Task
from unveil.models.video_diffusion.model import VideoDiffusion as VideoDiffusion
from unveil.models.video_diffusion.validation import TaskError as TaskError
from unveil.models.video_diffusion.validation import by_task as by_task
