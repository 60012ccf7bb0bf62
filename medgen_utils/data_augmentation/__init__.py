"""Augmentation: train on variety that the training hospitals do not show. Chapter: data_augmentation."""

from medgen_utils.data_augmentation.colour import colour_jitter, to_grey
from medgen_utils.data_augmentation.intensity import compose, intensity_jitter, standardize_per_image
from medgen_utils.data_augmentation.mixing import (
    AmplitudeMix,
    MixStyle,
    Mixup,
    StyleMixing,
    amplitude_jitter,
    draw_beta,
    fourier_amplitude_mix,
    mix_style,
    mixup,
    partners,
)
from medgen_utils.data_augmentation.policy import rand_augment
from medgen_utils.data_augmentation.stain import combine_stains, macenko, separate_stains, stain_jitter, stain_normalize
from medgen_utils.data_augmentation.texture import AugMix, RandConv, augmix, augmix_jsd, random_convolution

__all__ = [
    "AmplitudeMix", "AugMix", "MixStyle", "Mixup", "RandConv", "StyleMixing", "amplitude_jitter", "augmix",
    "augmix_jsd", "colour_jitter", "combine_stains", "compose", "draw_beta", "fourier_amplitude_mix",
    "intensity_jitter", "macenko", "mix_style", "mixup", "partners", "rand_augment", "random_convolution",
    "separate_stains", "stain_jitter", "stain_normalize", "standardize_per_image", "to_grey",
]  # fmt: skip
