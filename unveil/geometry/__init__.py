"""Rotations in every form, the distances between them, and the best fit between sets of points."""

from unveil.geometry.axis_angle import axis_angle_to_matrix as axis_angle_to_matrix
from unveil.geometry.axis_angle import cross_matrix as cross_matrix
from unveil.geometry.axis_angle import matrix_to_axis_angle as matrix_to_axis_angle
from unveil.geometry.euler import euler_to_matrix as euler_to_matrix
from unveil.geometry.euler import matrix_to_euler as matrix_to_euler
from unveil.geometry.geodesic import angle_between as angle_between
from unveil.geometry.geodesic import geodesic_distance as geodesic_distance
from unveil.geometry.lookat import look_at as look_at
from unveil.geometry.lookat import shortest_rotation as shortest_rotation
from unveil.geometry.procrustes import Similarity as Similarity
from unveil.geometry.procrustes import check_rotations as check_rotations
from unveil.geometry.procrustes import nearest_rotation as nearest_rotation
from unveil.geometry.procrustes import procrustes as procrustes
from unveil.geometry.quaternion import matrix_to_quaternion as matrix_to_quaternion
from unveil.geometry.quaternion import quaternion_to_axis_angle as quaternion_to_axis_angle
from unveil.geometry.quaternion import quaternion_to_matrix as quaternion_to_matrix
from unveil.geometry.quaternion import slerp as slerp
from unveil.geometry.quaternion import unroll as unroll
from unveil.geometry.six_d import matrix_from_6d as matrix_from_6d
from unveil.geometry.six_d import matrix_to_6d as matrix_to_6d
