"""The inner explainer of methods that work around another."""

from torch import nn

from stexplain.errors import InputError
from stexplain.explainers.explainer import Explainer
from stexplain.explainers.methods.gradient.input_gradient import InputGradient
from stexplain.wording import an


def as_explainer(explainer: Explainer | nn.Module) -> Explainer:
    """The explainer itself, or the `InputGradient` of a model.

    Raises:
        InputError: where it is neither.

    Example:
        >>> as_explainer(nn.Flatten()).method
        'input gradient'
    """
    if isinstance(explainer, Explainer):
        return explainer
    if not isinstance(explainer, nn.Module):
        raise InputError(
            f"explainer: got {an(type(explainer).__name__)}; expected an explainer, such as InputGradient(model), "
            "or a model."
        )
    return InputGradient(explainer)
