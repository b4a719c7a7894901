"""The shape of noise: covariance operators Sig = R R' with unit variance at every pixel."""

from unveil.covariance.circulant import Circulant as Circulant
from unveil.covariance.dense import Dense as Dense
from unveil.covariance.diagonal import Diagonal as Diagonal
from unveil.covariance.free_field import free_field as free_field
from unveil.covariance.free_field import free_field_spectrum as free_field_spectrum
from unveil.covariance.identity import Identity as Identity
from unveil.covariance.planes import on_plane as on_plane
