"""A frozen model that is evaluated on masked copies of one batch, many copies per forward pass."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Unpack

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from stexplain.axes import check_shape
from stexplain.checking.labels import class_labels
from stexplain.data.baselines import Baseline
from stexplain.data.samples import Batch, Sample
from stexplain.errors import InputError
from stexplain.explainers.explanation import Explanation
from stexplain.explainers.model.caller import ModelCaller
from stexplain.explainers.model.index_channels import signal_mask
from stexplain.explainers.model.model_input import ModelInput, Signals, Streams
from stexplain.explainers.model.options import CallOptions, ModelCall
from stexplain.explainers.model.output_layout import with_output_layout
from stexplain.explainers.model.perturb import with_baseline
from stexplain.explainers.outputs.model_output import ModelOutput
from stexplain.explainers.targets import Scores, Target
from stexplain.metrics.arrays import as_array, check_sample_ids, names_of, valid_importance
from stexplain.metrics.calls import call_of, refuse_observed, unlabelled
from stexplain.metrics.masking import mask_nodes
from stexplain.metrics.ranking import aggregate, ranking_values, ranks, to_positions

# Masked samples per forward pass, and their positions in all, unless the batch itself is larger. This bounds memory
# and changes no number.
_MAX_SAMPLES, _MAX_POSITIONS = 64, 2**19


class MaskedModel(ModelCaller):
    """A model that is evaluated on masked copies of the samples at hand.

    Args:
        model: see `frozen_masked_model`.
        **options: see `frozen_masked_model`.

    Attributes:
        batch: the samples after the model's training recipe, on its device and in its floating type.
        model_input: the same samples in the model's layout.
        observed: the mask of observed positions, ``[B, M, T, N]``, bool.
        samples_per_pass: how many masked samples one forward pass takes.
    """

    batch: Batch
    model_input: ModelInput
    observed: Tensor
    samples_per_pass: int

    def load(self, x: Signals | Streams, call: ModelCall, *, at_once: int = _MAX_SAMPLES) -> None:
        """Prepares samples.

        Args:
            x: see `frozen_masked_model`.
            call: the masks and further arguments of the samples.
            at_once: how many masked samples a forward pass takes at most, if `chunk` is not given, and there are not
                more samples than that.
        """
        self._only_stream = call.stream
        if call.stream is not None and (not isinstance(x, Mapping) or call.stream not in x):
            raise InputError(
                f"x: got {f'the streams {list(x)}' if isinstance(x, Mapping) else 'one tensor'} and the explanation of "
                f"the stream {call.stream!r}; expected all the streams that were explained, that one among them."
            )
        if isinstance(x, Sample | Batch):
            x = self.preprocess(x)
        # Samples of a dataset bring their own missing-value mask.
        observed = None if isinstance(x, Batch) else call.observed
        self.model_input = self._prepare(x, call.valid, call.shared, call.per_sample, observed=observed)
        # Back from the model's layout, so that masking sees the numbers that the model sees.
        signals = self.inputs.to_batch(self.model_input.x, **self.model_input.sizes)
        self.batch = (
            replace(x.to(signals.device), x=signals) if isinstance(x, Batch) else unlabelled(self.model_input, signals)
        )
        self.observed = self.model_input.observed_positions
        positions = self.observed[0].numel()
        most = len(signals)
        if most > _MAX_SAMPLES:
            with self._model_frozen():
                # As if with gradients, which these passes do without: they take less.
                most = max(self._at_once(self.model_input), _MAX_SAMPLES)
        self.samples_per_pass = self.chunk or max(most, min(at_once, _MAX_POSITIONS // positions))

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """The model as it is for evaluation, and restored afterwards, also on error."""
        # Without gradients, and without autocast: in half precision the small differences that masking makes would
        # drown in rounding.
        with self._model_frozen(), torch.no_grad():
            yield

    def baseline_values(self, baseline: "str | Baseline | Tensor | ArrayLike") -> Tensor:
        """The baseline's values for the batch, ``[B, M, T, N, C]``; positions without an observation keep theirs."""
        return with_baseline(self, self.model_input, baseline)

    def masked(self, mask: Tensor, baseline: Tensor) -> Tensor:
        """The batch's x with the observed positions of a mask ``[B, M, T, N]`` replaced by the baseline's values."""
        # [..., None]: a position is masked in all of its channels. In those that are indices, the baseline is x itself.
        return torch.where((mask & self.observed)[..., None], baseline, self.batch.x)

    def moved(self, nodes: Tensor, baseline: Tensor, masking: float) -> Tensor:
        """The batch's x with some nodes ``[B, N]`` moved towards the baseline's values: see `mask_nodes`."""
        x = mask_nodes(self.batch.x, baseline, nodes, masking)
        signals = signal_mask(self, self.model_input)
        # An index is kept to the bit: rounding could make it the index before.
        return x if signals is None else torch.where(signals, x, self.batch.x)

    def ranks(
        self, explanation: Any, *, over: str, ranking: str, seed: int, repeats: int
    ) -> tuple[list[Tensor], Tensor]:
        """Ranks the nodes, frames or positions of each sample by an explanation, and in orders drawn at random.

        Args:
            explanation: an `Explanation` of the batch, or values ``[B, M, T, N]``.
            over: one of `stexplain.metrics.ranking.OVER`.
            ranking: one of `stexplain.metrics.ranking.RANKINGS`.
            seed: see `stexplain.metrics.ranking.ranks`.
            repeats: how many random orders.

        Returns:
            The rank at every position, ``[B, M, T, N]``, 0 being the most important: first by the explanation, then in
            each random order; and how many entries each sample has, ``[B, 1, 1, 1]``.

        Raises:
            InputError: if the explanation is not of this batch.
        """
        device = self.observed.device
        observed = self.observed.cpu().numpy()
        if isinstance(explanation, Explanation):
            check_sample_ids("the explanation", explanation.ids, self.batch.ids)
            explanation = explanation.values
        explanation = as_array(explanation)
        sizes = check_shape("the samples", observed.shape, "b m t n")
        check_shape("the explanation", explanation.shape, "b m t n", **sizes)
        # By the batch's mask and not the explanation's: what cannot be masked is not ranked.
        values, _ = valid_importance("the explanation", explanation, observed)
        importance, valid = aggregate(ranking_values(values, ranking), observed, over)
        explained, random_orders = ranks(importance, valid, names_of(self.batch.ids), seed=seed, repeats=repeats)
        # to_positions gives read-only views, which from_numpy must not share: hence the copy.
        by_position = [
            torch.from_numpy(to_positions(rank, over, observed.shape).copy()).to(device)
            for rank in (explained, *random_orders)
        ]
        return by_position, torch.from_numpy(valid.sum(1)).to(device)[:, None, None, None]

    def evaluate(
        self, perturbed: Callable[[int], Tensor], count: int, read: Callable[[Any, slice], Tensor]
    ) -> NDArray[np.float64]:
        """Runs the model on several perturbed copies of the batch and reads numbers from its outputs.

        Args:
            perturbed: the index of a copy -> its signals ``[B, M, T, N, C]``.
            count: how many copies.
            read: what the model returned for some samples of the batch, and the slice that they are -> numbers
                ``[samples, ...]``.

        Returns:
            ``[count, B, ...]``.
        """
        samples = len(self.batch)
        results: list[Tensor] = []
        # A batch above the limit is cut into parts; else several copies of it share one forward pass.
        if self.samples_per_pass < samples:
            starts = range(0, samples, self.samples_per_pass)
            parts = [slice(start, min(start + self.samples_per_pass, samples)) for start in starts]
            for index in range(count):
                x = perturbed(index)
                results.append(torch.cat([read(self._outputs(x[rows], rows)[0], rows) for rows in parts]))
            return _float64(torch.stack(results))
        copies_per_pass = self.samples_per_pass // samples
        every = slice(0, samples)
        for start in range(0, count, copies_per_pass):
            copies = [perturbed(index) for index in range(start, min(start + copies_per_pass, count))]
            # Read at once: the numbers are kept, the outputs are not.
            results += [read(output, every) for output in self._outputs(torch.cat(copies), every)]
        return _float64(torch.stack(results))

    def scores(self, target: Target, output: Any, rows: slice, *, probability: bool = False) -> Scores:
        """The target's scores of what the model returned for some samples of the batch; or of its probabilities."""
        info = replace(self.output_info, rows=rows, samples=len(self.batch))
        if probability:
            return target.score(self.probabilities(output, rows, "Leave out `probability`."), info)
        return target.score_output(self._returned(output, rows.stop - rows.start), info)

    def chosen_tensor(self, output: Any, rows: slice) -> Tensor:
        """The tensor of what the model returned for some samples that is read, in its own layout."""
        return self._returned(output, rows.stop - rows.start).chosen[1]

    def labels(self, given: ArrayLike | None) -> NDArray[np.int64]:
        """The class of each sample, ``[B]``, as given or else that of the batch; -1 where there is none.

        Args:
            given: by number or name.

        Raises:
            InputError: where not one is given for each sample, or one is no class.
        """
        if given is None:
            return class_labels("labels", self.batch.label, lowest=-1)
        labels = class_labels("labels", given, self.classes, lowest=-1)
        check_shape("labels", labels.shape, "b", b=len(self.batch))
        return labels

    def probabilities(self, output: Any, rows: slice, remedy: str) -> Tensor:
        """The probability of every class, ``[samples, classes]``: see `class_probabilities`."""
        return class_probabilities(self._returned(output, rows.stop - rows.start).tensor, remedy)

    def fix_target(self, target: Target) -> tuple[Target, NDArray[np.int64]]:
        """The target with the classes predicted for the unmasked samples, which are then scored under any masking.

        A target at nodes that does not say how the output is laid out is given the layout that is found.

        Returns:
            The target, and its classes ``[B]``; -1 where it is of none.
        """
        classes: list[Tensor] = []
        (target,) = with_output_layout(self, self.model_input, [target])

        def read(output: Any, rows: slice) -> Tensor:
            scores = self.scores(target, output, rows)
            # On the side, as `evaluate` returns one array, which holds the scores.
            classes.append(scores.classes)
            return scores.scores

        self.evaluate(lambda _: self.batch.x, 1, read)
        predicted: NDArray[np.int64] = torch.cat(classes).cpu().numpy()
        return fix_predicted(target, predicted), predicted

    def _outputs(self, x: Tensor, rows: slice) -> list[Any]:
        """What the model returned for each of several copies of some samples, given one copy after the other."""
        samples = rows.stop - rows.start
        outputs: list[Any] = []
        # All copies at once, or one by one where the model allows no more.
        for copies in self._copies(self._rows(self.model_input, rows), x):
            whole = self._returned(self._forward(copies), copies.sizes["b"])
            # Copy by copy: a function as target gets what the model returns for these samples.
            outputs += [whole.rows(start, start + samples).raw for start in range(0, whole.samples, samples)]
        return outputs

    def _returned(self, output: Any, samples: int) -> ModelOutput:
        """What the model returned for so many samples."""
        return ModelOutput(output, samples, self._output_axes(self.model_input), self.output)


@contextmanager
def frozen_masked_model(
    model: nn.Module,
    x: Signals | Streams,
    *,
    explanation: Any = None,
    valid: Any = None,
    observed: Any = None,
    shared: Mapping[str, Any] | None = None,
    per_sample: Mapping[str, Any] | None = None,
    **options: Unpack[CallOptions],
) -> Iterator[MaskedModel]:
    """Freezes a model and prepares samples for it; the model is restored afterwards, also on error.

    Args:
        model: any module. If it is wrapped by `torch.compile` or `DataParallel`, the module inside is evaluated.
        x: a `Sample`, a `Batch`, a tensor in the model's own layout or a dict of streams, as an explainer takes them;
            raw samples of a dataset are preprocessed by the model's training recipe, if it has one. Of streams the
            explained one is masked, else all at once.
        explanation: where it is an `Explanation`, the model is called as it was for that, but for what is given here.
        valid: the padding mask, ``[B, M, T]``; default: that of the samples, else all frames.
        observed: of a tensor, its missing-value mask, ``[B, M, T, N]``, or ``[B, T, N]`` of one instance; default: that
            of the explanation, else all was observed.
        shared: further arguments of the model's forward by name, the same for all samples, such as
            ``{"edge_index": edges}``.
        per_sample: further arguments of the model's forward by name, each with B entries along its first axis.
        **options: how the model is called; see `ModelCaller`. Here `chunk` is how many masked samples one forward pass
            takes; default: 64, fewer if they have more than half a million positions in all, and never fewer than
            there are samples.

    Raises:
        InputError: if the samples or an argument do not fit, or chunk is below one.
    """
    refuse_observed(x, observed)
    call = call_of(explanation, options, valid, shared, per_sample, observed=observed)
    masked = MaskedModel(model, **call.options)
    masked.load(x, call)
    with masked.frozen():
        yield masked


def class_probabilities(output: Tensor, remedy: str) -> Tensor:
    """The probability of every class, ``[B, K]``: of logits ``[B, K]``, of a single logit ``[B]`` or ``[B, 1]``.

    A single logit is that of class 1 against class 0. Rows that are probabilities already stay as they are.

    Args:
        output: of a model.
        remedy: what to do about an output of another shape.

    Raises:
        InputError: for an output of another shape.

    Example:
        >>> class_probabilities(torch.tensor([0.0, 100.0]), "").tolist()
        [[0.5, 0.5], [0.0, 1.0]]
        >>> class_probabilities(torch.tensor([[0.2, 0.8]]), "").tolist()
        [[0.2..., 0.8...]]
    """
    if output.ndim == 1 or (output.ndim == 2 and output.shape[1] == 1):
        logit = output.flatten()
        return torch.stack([torch.sigmoid(-logit), torch.sigmoid(logit)], 1)
    if output.ndim != 2:
        raise InputError(f"the model's output: got shape {tuple(output.shape)}; expected [samples, classes]. {remedy}")
    # The softmax of log-probabilities gives the probabilities; that of probabilities would flatten them.
    if bool((output >= 0).all()) and bool(((output.sum(1) - 1).abs() <= 1e-4).all()):
        return output
    return output.softmax(1)


def baseline_name(baseline: "str | Baseline | Tensor | ArrayLike") -> str:
    """The name of a baseline in results.

    Example:
        >>> from stexplain.data.baselines import mean
        >>> baseline_name("zero"), baseline_name(mean), baseline_name(torch.tensor(65.0))
        ('zero', 'mean', 'given values')
    """
    if isinstance(baseline, str):
        return baseline
    return getattr(baseline, "__name__", type(baseline).__name__) if callable(baseline) else "given values"


def fix_predicted(target: Target, classes: NDArray[np.int64]) -> Target:
    """The target for the classes ``[B]`` that it chose itself, as `Predicted` does; -1 leaves a sample's as it is.

    Example:
        >>> from stexplain.explainers.targets import Predicted
        >>> fix_predicted(Predicted(), np.array([2, 0]))(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])).tolist()
        [3.0, 4.0]
    """
    return target.fixed(classes.tolist())


def _float64(tensor: Tensor) -> NDArray[np.float64]:
    return tensor.detach().cpu().numpy().astype(np.float64)
