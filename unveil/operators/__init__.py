"""Linear measurements y = A x: forward, adjoint, pseudo-inverse, proximal step and norm."""

from unveil.operators.adjointness import check_adjoint as check_adjoint
from unveil.operators.blur import Blur as Blur
from unveil.operators.compose import Compose as Compose
from unveil.operators.dense import Dense as Dense
from unveil.operators.downsample import Downsample as Downsample
from unveil.operators.grayscale import LUMA as LUMA
from unveil.operators.grayscale import Grayscale as Grayscale
from unveil.operators.identity import Identity as Identity
from unveil.operators.kernels import box_kernel as box_kernel
from unveil.operators.kernels import disk_kernel as disk_kernel
from unveil.operators.kernels import gaussian_kernel as gaussian_kernel
from unveil.operators.kernels import gaussian_profile as gaussian_profile
from unveil.operators.kernels import motion_kernel as motion_kernel
from unveil.operators.krylov import General as General
from unveil.operators.mask import Mask as Mask
from unveil.operators.sensing import Sensing as Sensing
from unveil.operators.separable_blur import SeparableBlur as SeparableBlur
from unveil.operators.stack import Stack as Stack
