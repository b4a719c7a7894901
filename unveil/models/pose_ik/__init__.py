"""Inverse kinematics that has learned from poses: a few effectors and a body's shape to a whole pose."""

from unveil.models.pose_ik.learning import Learning as Learning
from unveil.models.pose_ik.model import PoseIK as PoseIK
from unveil.models.pose_ik.protocols import PROTOCOLS as PROTOCOLS
from unveil.models.pose_ik.protocols import Protocol as Protocol
from unveil.models.pose_ik.protocols import draw_effectors as draw_effectors
