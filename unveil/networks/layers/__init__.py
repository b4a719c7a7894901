"""The layers that networks are built of."""

from unveil.networks.layers.attention import SelfAttention as SelfAttention
from unveil.networks.layers.conditioned import ConditionedBlock as ConditionedBlock
from unveil.networks.layers.conditioned import Map as Map
from unveil.networks.layers.conditioned import SpatialMaps as SpatialMaps
from unveil.networks.layers.conditioned import modulated as modulated
from unveil.networks.layers.embedding import FourierFeatures as FourierFeatures
from unveil.networks.layers.embedding import SinusoidalFeatures as SinusoidalFeatures
from unveil.networks.layers.embedding import TimeEmbedding as TimeEmbedding
from unveil.networks.layers.initialization import initialize as initialize
from unveil.networks.layers.ladder import check_ladder as check_ladder
from unveil.networks.layers.ladder import ladder as ladder
from unveil.networks.layers.normalization import GroupNorm as GroupNorm
from unveil.networks.layers.normalization import groups_for as groups_for
from unveil.networks.layers.normalization import silu as silu
from unveil.networks.layers.resampling import ConvDownsample as ConvDownsample
from unveil.networks.layers.resampling import ConvUpsample as ConvUpsample
from unveil.networks.layers.resampling import Padding as Padding
from unveil.networks.layers.resampling import resampler as resampler
from unveil.networks.layers.residual import ResidualBlock as ResidualBlock
from unveil.networks.layers.styled import AdaptiveNorm as AdaptiveNorm
from unveil.networks.layers.styled import Style as Style
from unveil.networks.layers.styled import StyledBlock as StyledBlock
