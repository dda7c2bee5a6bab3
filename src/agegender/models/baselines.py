"""The paper's baselines, from torchvision: AlexNet, VGG11, ResNet18, DenseNet161, each with two heads."""

from torch import Tensor, nn
from torchvision.models import get_model

from agegender.models.heads import FaceOutputs, TwoHeads
from agegender.models.weights import load_pretrained


class TorchvisionNet(nn.Module):
    """A classifier of torchvision with its last linear layer replaced by the two heads.

    Args:
        num_outputs: width of the age head; the method's choice.
        image_size: pixels of a side; these networks pool to a fixed size, so any size above a minimum works.
        name: torchvision's name of the network.
        dropout: in the fully connected layers of AlexNet and VGG, as in the originals; in other networks before the
            heads.
        weights: a file of pretrained weights, or torchvision's name for them, such as IMAGENET1K_V1.
    """

    def __init__(
        self, num_outputs: int, image_size: int = 256, *, name: str, dropout: float = 0.0, weights: str | None = None
    ) -> None:
        super().__init__()
        self.image_size = image_size
        self.backbone = get_model(name, weights=None)
        linear = [(key, module) for key, module in self.backbone.named_modules() if isinstance(module, nn.Linear)]
        last_name, last = linear[-1]
        self.backbone.set_submodule(last_name, nn.Identity())
        inner = [module for module in self.backbone.modules() if isinstance(module, nn.Dropout)]
        for module in inner:
            module.p = dropout
        self.dropout = nn.Dropout(0.0 if inner else dropout)
        self.heads = TwoHeads(last.in_features, num_outputs)
        load_pretrained(self, weights, torchvision_name=name)

    def forward(self, images: Tensor) -> FaceOutputs:
        """Read normalized (B, 3, H, W)."""
        return self.heads(self.dropout(self.backbone(images)))
