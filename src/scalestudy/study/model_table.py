"""The table of torchvision's classification models, written by `python tests/unit/test_models.py`."""

from typing import NamedTuple

WEIGHTS_HOST = "https://download.pytorch.org/models/"


class ModelEntry(NamedTuple):
    """One model: its family, the image sizes (pixels, square) that it takes, and its published weights.

    `weights` maps a name to the file under `WEIGHTS_HOST` and the one image size that they fit (None: any).
    """

    family: str
    min_image_size: int
    image_size_multiple: int
    weights: dict[str, tuple[str, int | None]]


MODELS: dict[str, ModelEntry] = {
    "alexnet": ModelEntry("alexnet", 63, 1, {"IMAGENET1K_V1": ("alexnet-owt-7be5be79.pth", None)}),
    "convnext_base": ModelEntry("convnext", 32, 1, {"IMAGENET1K_V1": ("convnext_base-6075fbad.pth", None)}),
    "convnext_large": ModelEntry("convnext", 32, 1, {"IMAGENET1K_V1": ("convnext_large-ea097f82.pth", None)}),
    "convnext_small": ModelEntry("convnext", 32, 1, {"IMAGENET1K_V1": ("convnext_small-0c510722.pth", None)}),
    "convnext_tiny": ModelEntry("convnext", 32, 1, {"IMAGENET1K_V1": ("convnext_tiny-983f1562.pth", None)}),
    "densenet121": ModelEntry("densenet", 29, 1, {"IMAGENET1K_V1": ("densenet121-a639ec97.pth", None)}),
    "densenet161": ModelEntry("densenet", 29, 1, {"IMAGENET1K_V1": ("densenet161-8d451a50.pth", None)}),
    "densenet169": ModelEntry("densenet", 29, 1, {"IMAGENET1K_V1": ("densenet169-b2777c0a.pth", None)}),
    "densenet201": ModelEntry("densenet", 29, 1, {"IMAGENET1K_V1": ("densenet201-c1103571.pth", None)}),
    "efficientnet_b0": ModelEntry(
        "efficientnet", 1, 1, {"IMAGENET1K_V1": ("efficientnet_b0_rwightman-7f5810bc.pth", None)}
    ),
    "efficientnet_b1": ModelEntry(
        "efficientnet",
        1,
        1,
        {
            "IMAGENET1K_V1": ("efficientnet_b1_rwightman-bac287d4.pth", None),
            "IMAGENET1K_V2": ("efficientnet_b1-c27df63c.pth", None),
        },
    ),
    "efficientnet_b2": ModelEntry(
        "efficientnet", 1, 1, {"IMAGENET1K_V1": ("efficientnet_b2_rwightman-c35c1473.pth", None)}
    ),
    "efficientnet_b3": ModelEntry(
        "efficientnet", 1, 1, {"IMAGENET1K_V1": ("efficientnet_b3_rwightman-b3899882.pth", None)}
    ),
    "efficientnet_b4": ModelEntry(
        "efficientnet", 1, 1, {"IMAGENET1K_V1": ("efficientnet_b4_rwightman-23ab8bcd.pth", None)}
    ),
    "efficientnet_b5": ModelEntry(
        "efficientnet", 1, 1, {"IMAGENET1K_V1": ("efficientnet_b5_lukemelas-1a07897c.pth", None)}
    ),
    "efficientnet_b6": ModelEntry(
        "efficientnet", 1, 1, {"IMAGENET1K_V1": ("efficientnet_b6_lukemelas-24a108a5.pth", None)}
    ),
    "efficientnet_b7": ModelEntry(
        "efficientnet", 1, 1, {"IMAGENET1K_V1": ("efficientnet_b7_lukemelas-c5b4e57e.pth", None)}
    ),
    "efficientnet_v2_l": ModelEntry(
        "efficientnet", 1, 1, {"IMAGENET1K_V1": ("efficientnet_v2_l-59c71312.pth", None)}
    ),
    "efficientnet_v2_m": ModelEntry(
        "efficientnet", 1, 1, {"IMAGENET1K_V1": ("efficientnet_v2_m-dc08266a.pth", None)}
    ),
    "efficientnet_v2_s": ModelEntry(
        "efficientnet", 1, 1, {"IMAGENET1K_V1": ("efficientnet_v2_s-dd5fe13b.pth", None)}
    ),
    "googlenet": ModelEntry("googlenet", 15, 1, {"IMAGENET1K_V1": ("googlenet-1378be20.pth", None)}),
    "inception_v3": ModelEntry(
        "inception", 75, 1, {"IMAGENET1K_V1": ("inception_v3_google-0cc3c7bd.pth", None)}
    ),
    "maxvit_t": ModelEntry("maxvit", 1, 224, {"IMAGENET1K_V1": ("maxvit_t-bc5ab103.pth", 224)}),
    "mnasnet0_5": ModelEntry(
        "mnasnet", 1, 1, {"IMAGENET1K_V1": ("mnasnet0.5_top1_67.823-3ffadce67e.pth", None)}
    ),
    "mnasnet0_75": ModelEntry("mnasnet", 1, 1, {"IMAGENET1K_V1": ("mnasnet0_75-7090bc5f.pth", None)}),
    "mnasnet1_0": ModelEntry(
        "mnasnet", 1, 1, {"IMAGENET1K_V1": ("mnasnet1.0_top1_73.512-f206786ef8.pth", None)}
    ),
    "mnasnet1_3": ModelEntry("mnasnet", 1, 1, {"IMAGENET1K_V1": ("mnasnet1_3-a4c69d6f.pth", None)}),
    "mobilenet_v2": ModelEntry(
        "mobilenetv2",
        1,
        1,
        {
            "IMAGENET1K_V1": ("mobilenet_v2-b0353104.pth", None),
            "IMAGENET1K_V2": ("mobilenet_v2-7ebf99e0.pth", None),
        },
    ),
    "mobilenet_v3_large": ModelEntry(
        "mobilenetv3",
        1,
        1,
        {
            "IMAGENET1K_V1": ("mobilenet_v3_large-8738ca79.pth", None),
            "IMAGENET1K_V2": ("mobilenet_v3_large-5c1a4163.pth", None),
        },
    ),
    "mobilenet_v3_small": ModelEntry(
        "mobilenetv3", 1, 1, {"IMAGENET1K_V1": ("mobilenet_v3_small-047dcff4.pth", None)}
    ),
    "regnet_x_16gf": ModelEntry(
        "regnet",
        1,
        1,
        {
            "IMAGENET1K_V1": ("regnet_x_16gf-2007eb11.pth", None),
            "IMAGENET1K_V2": ("regnet_x_16gf-ba3796d7.pth", None),
        },
    ),
    "regnet_x_1_6gf": ModelEntry(
        "regnet",
        1,
        1,
        {
            "IMAGENET1K_V1": ("regnet_x_1_6gf-e3633e7f.pth", None),
            "IMAGENET1K_V2": ("regnet_x_1_6gf-a12f2b72.pth", None),
        },
    ),
    "regnet_x_32gf": ModelEntry(
        "regnet",
        1,
        1,
        {
            "IMAGENET1K_V1": ("regnet_x_32gf-9d47f8d0.pth", None),
            "IMAGENET1K_V2": ("regnet_x_32gf-6eb8fdc6.pth", None),
        },
    ),
    "regnet_x_3_2gf": ModelEntry(
        "regnet",
        1,
        1,
        {
            "IMAGENET1K_V1": ("regnet_x_3_2gf-f342aeae.pth", None),
            "IMAGENET1K_V2": ("regnet_x_3_2gf-7071aa85.pth", None),
        },
    ),
    "regnet_x_400mf": ModelEntry(
        "regnet",
        1,
        1,
        {
            "IMAGENET1K_V1": ("regnet_x_400mf-adf1edd5.pth", None),
            "IMAGENET1K_V2": ("regnet_x_400mf-62229a5f.pth", None),
        },
    ),
    "regnet_x_800mf": ModelEntry(
        "regnet",
        1,
        1,
        {
            "IMAGENET1K_V1": ("regnet_x_800mf-ad17e45c.pth", None),
            "IMAGENET1K_V2": ("regnet_x_800mf-94a99ebd.pth", None),
        },
    ),
    "regnet_x_8gf": ModelEntry(
        "regnet",
        1,
        1,
        {
            "IMAGENET1K_V1": ("regnet_x_8gf-03ceed89.pth", None),
            "IMAGENET1K_V2": ("regnet_x_8gf-2b70d774.pth", None),
        },
    ),
    "regnet_y_128gf": ModelEntry(
        "regnet",
        1,
        1,
        {
            "IMAGENET1K_SWAG_E2E_V1": ("regnet_y_128gf_swag-c8ce3e52.pth", None),
            "IMAGENET1K_SWAG_LINEAR_V1": ("regnet_y_128gf_lc_swag-cbe8ce12.pth", None),
        },
    ),
    "regnet_y_16gf": ModelEntry(
        "regnet",
        1,
        1,
        {
            "IMAGENET1K_V1": ("regnet_y_16gf-9e6ed7dd.pth", None),
            "IMAGENET1K_V2": ("regnet_y_16gf-3e4a00f9.pth", None),
            "IMAGENET1K_SWAG_E2E_V1": ("regnet_y_16gf_swag-43afe44d.pth", None),
            "IMAGENET1K_SWAG_LINEAR_V1": ("regnet_y_16gf_lc_swag-f3ec0043.pth", None),
        },
    ),
    "regnet_y_1_6gf": ModelEntry(
        "regnet",
        1,
        1,
        {
            "IMAGENET1K_V1": ("regnet_y_1_6gf-b11a554e.pth", None),
            "IMAGENET1K_V2": ("regnet_y_1_6gf-0d7bc02a.pth", None),
        },
    ),
    "regnet_y_32gf": ModelEntry(
        "regnet",
        1,
        1,
        {
            "IMAGENET1K_V1": ("regnet_y_32gf-4dee3f7a.pth", None),
            "IMAGENET1K_V2": ("regnet_y_32gf-8db6d4b5.pth", None),
            "IMAGENET1K_SWAG_E2E_V1": ("regnet_y_32gf_swag-04fdfa75.pth", None),
            "IMAGENET1K_SWAG_LINEAR_V1": ("regnet_y_32gf_lc_swag-e1583746.pth", None),
        },
    ),
    "regnet_y_3_2gf": ModelEntry(
        "regnet",
        1,
        1,
        {
            "IMAGENET1K_V1": ("regnet_y_3_2gf-b5a9779c.pth", None),
            "IMAGENET1K_V2": ("regnet_y_3_2gf-9180c971.pth", None),
        },
    ),
    "regnet_y_400mf": ModelEntry(
        "regnet",
        1,
        1,
        {
            "IMAGENET1K_V1": ("regnet_y_400mf-c65dace8.pth", None),
            "IMAGENET1K_V2": ("regnet_y_400mf-e6988f5f.pth", None),
        },
    ),
    "regnet_y_800mf": ModelEntry(
        "regnet",
        1,
        1,
        {
            "IMAGENET1K_V1": ("regnet_y_800mf-1b27b58c.pth", None),
            "IMAGENET1K_V2": ("regnet_y_800mf-58fc7688.pth", None),
        },
    ),
    "regnet_y_8gf": ModelEntry(
        "regnet",
        1,
        1,
        {
            "IMAGENET1K_V1": ("regnet_y_8gf-d0d0e4a8.pth", None),
            "IMAGENET1K_V2": ("regnet_y_8gf-dc2b1b54.pth", None),
        },
    ),
    "resnet101": ModelEntry(
        "resnet",
        1,
        1,
        {
            "IMAGENET1K_V1": ("resnet101-63fe2227.pth", None),
            "IMAGENET1K_V2": ("resnet101-cd907fc2.pth", None),
        },
    ),
    "resnet152": ModelEntry(
        "resnet",
        1,
        1,
        {
            "IMAGENET1K_V1": ("resnet152-394f9c45.pth", None),
            "IMAGENET1K_V2": ("resnet152-f82ba261.pth", None),
        },
    ),
    "resnet18": ModelEntry("resnet", 1, 1, {"IMAGENET1K_V1": ("resnet18-f37072fd.pth", None)}),
    "resnet34": ModelEntry("resnet", 1, 1, {"IMAGENET1K_V1": ("resnet34-b627a593.pth", None)}),
    "resnet50": ModelEntry(
        "resnet",
        1,
        1,
        {"IMAGENET1K_V1": ("resnet50-0676ba61.pth", None), "IMAGENET1K_V2": ("resnet50-11ad3fa6.pth", None)},
    ),
    "resnext101_32x8d": ModelEntry(
        "resnet",
        1,
        1,
        {
            "IMAGENET1K_V1": ("resnext101_32x8d-8ba56ff5.pth", None),
            "IMAGENET1K_V2": ("resnext101_32x8d-110c445d.pth", None),
        },
    ),
    "resnext101_64x4d": ModelEntry(
        "resnet", 1, 1, {"IMAGENET1K_V1": ("resnext101_64x4d-173b62eb.pth", None)}
    ),
    "resnext50_32x4d": ModelEntry(
        "resnet",
        1,
        1,
        {
            "IMAGENET1K_V1": ("resnext50_32x4d-7cdf4587.pth", None),
            "IMAGENET1K_V2": ("resnext50_32x4d-1a0047aa.pth", None),
        },
    ),
    "shufflenet_v2_x0_5": ModelEntry(
        "shufflenetv2", 1, 1, {"IMAGENET1K_V1": ("shufflenetv2_x0.5-f707e7126e.pth", None)}
    ),
    "shufflenet_v2_x1_0": ModelEntry(
        "shufflenetv2", 1, 1, {"IMAGENET1K_V1": ("shufflenetv2_x1-5666bf0f80.pth", None)}
    ),
    "shufflenet_v2_x1_5": ModelEntry(
        "shufflenetv2", 1, 1, {"IMAGENET1K_V1": ("shufflenetv2_x1_5-3c479a10.pth", None)}
    ),
    "shufflenet_v2_x2_0": ModelEntry(
        "shufflenetv2", 1, 1, {"IMAGENET1K_V1": ("shufflenetv2_x2_0-8be3c8ee.pth", None)}
    ),
    "squeezenet1_0": ModelEntry("squeezenet", 21, 1, {"IMAGENET1K_V1": ("squeezenet1_0-b66bff10.pth", None)}),
    "squeezenet1_1": ModelEntry("squeezenet", 17, 1, {"IMAGENET1K_V1": ("squeezenet1_1-b8a52dc0.pth", None)}),
    "swin_b": ModelEntry("swin_transformer", 4, 1, {"IMAGENET1K_V1": ("swin_b-68c6b09e.pth", None)}),
    "swin_s": ModelEntry("swin_transformer", 4, 1, {"IMAGENET1K_V1": ("swin_s-5e29d889.pth", None)}),
    "swin_t": ModelEntry("swin_transformer", 4, 1, {"IMAGENET1K_V1": ("swin_t-704ceda3.pth", None)}),
    "swin_v2_b": ModelEntry("swin_transformer", 4, 1, {"IMAGENET1K_V1": ("swin_v2_b-781e5279.pth", None)}),
    "swin_v2_s": ModelEntry("swin_transformer", 4, 1, {"IMAGENET1K_V1": ("swin_v2_s-637d8ceb.pth", None)}),
    "swin_v2_t": ModelEntry("swin_transformer", 4, 1, {"IMAGENET1K_V1": ("swin_v2_t-b137f0e2.pth", None)}),
    "vgg11": ModelEntry("vgg", 32, 1, {"IMAGENET1K_V1": ("vgg11-8a719046.pth", None)}),
    "vgg11_bn": ModelEntry("vgg", 32, 1, {"IMAGENET1K_V1": ("vgg11_bn-6002323d.pth", None)}),
    "vgg13": ModelEntry("vgg", 32, 1, {"IMAGENET1K_V1": ("vgg13-19584684.pth", None)}),
    "vgg13_bn": ModelEntry("vgg", 32, 1, {"IMAGENET1K_V1": ("vgg13_bn-abd245e5.pth", None)}),
    "vgg16": ModelEntry("vgg", 32, 1, {"IMAGENET1K_V1": ("vgg16-397923af.pth", None)}),
    "vgg16_bn": ModelEntry("vgg", 32, 1, {"IMAGENET1K_V1": ("vgg16_bn-6c64b313.pth", None)}),
    "vgg19": ModelEntry("vgg", 32, 1, {"IMAGENET1K_V1": ("vgg19-dcbb9e9d.pth", None)}),
    "vgg19_bn": ModelEntry("vgg", 32, 1, {"IMAGENET1K_V1": ("vgg19_bn-c79401a0.pth", None)}),
    "vit_b_16": ModelEntry(
        "vision_transformer",
        1,
        16,
        {
            "IMAGENET1K_V1": ("vit_b_16-c867db91.pth", 224),
            "IMAGENET1K_SWAG_E2E_V1": ("vit_b_16_swag-9ac1b537.pth", 384),
            "IMAGENET1K_SWAG_LINEAR_V1": ("vit_b_16_lc_swag-4e70ced5.pth", 224),
        },
    ),
    "vit_b_32": ModelEntry("vision_transformer", 1, 32, {"IMAGENET1K_V1": ("vit_b_32-d86f8d99.pth", 224)}),
    "vit_h_14": ModelEntry(
        "vision_transformer",
        1,
        14,
        {
            "IMAGENET1K_SWAG_E2E_V1": ("vit_h_14_swag-80465313.pth", 518),
            "IMAGENET1K_SWAG_LINEAR_V1": ("vit_h_14_lc_swag-c1eb923e.pth", 224),
        },
    ),
    "vit_l_16": ModelEntry(
        "vision_transformer",
        1,
        16,
        {
            "IMAGENET1K_V1": ("vit_l_16-852ce7e3.pth", 224),
            "IMAGENET1K_SWAG_E2E_V1": ("vit_l_16_swag-4f3808c9.pth", 512),
            "IMAGENET1K_SWAG_LINEAR_V1": ("vit_l_16_lc_swag-4d563306.pth", 224),
        },
    ),
    "vit_l_32": ModelEntry("vision_transformer", 1, 32, {"IMAGENET1K_V1": ("vit_l_32-c7638314.pth", 224)}),
    "wide_resnet101_2": ModelEntry(
        "resnet",
        1,
        1,
        {
            "IMAGENET1K_V1": ("wide_resnet101_2-32ee1156.pth", None),
            "IMAGENET1K_V2": ("wide_resnet101_2-d733dc28.pth", None),
        },
    ),
    "wide_resnet50_2": ModelEntry(
        "resnet",
        1,
        1,
        {
            "IMAGENET1K_V1": ("wide_resnet50_2-95faca4d.pth", None),
            "IMAGENET1K_V2": ("wide_resnet50_2-9ba9bcbe.pth", None),
        },
    ),
}
