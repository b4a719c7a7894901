"""Figures of merit, each with its count, split, preprocessing and interval."""

from unveil.metrics.bits_per_dim import bits_per_dim as bits_per_dim
from unveil.metrics.bits_per_dim import measure_bits_per_dim as measure_bits_per_dim
from unveil.metrics.feature_cache import cache_folder as cache_folder
from unveil.metrics.feature_space import PIXELS as PIXELS
from unveil.metrics.feature_space import POINTS as POINTS
from unveil.metrics.feature_space import FeatureSpace as FeatureSpace
from unveil.metrics.features import Features as Features
from unveil.metrics.features import extract_features as extract_features
from unveil.metrics.frechet_distance import frechet_distance as frechet_distance
from unveil.metrics.inception_score import inception_score as inception_score
from unveil.metrics.kernel_distance import kernel_distance as kernel_distance
from unveil.metrics.measure import Measure as Measure
from unveil.metrics.precision_recall import precision_recall as precision_recall
from unveil.metrics.psnr import measure_psnr as measure_psnr
from unveil.metrics.psnr import psnr as psnr
from unveil.metrics.ssim import measure_ssim as measure_ssim
from unveil.metrics.ssim import ssim as ssim
