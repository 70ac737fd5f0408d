"""The training loop: epochs, steps, checkpoints and the progress bar."""

import copy
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from stexplain.cards import Recipe
from stexplain.data.samples import Batch
from stexplain.errors import DataError
from stexplain.heap import settled
from stexplain.nn.normalisation import shared_statistics
from stexplain.progress import Progress
from stexplain.training.modes import kept_in_eval, to_train_mode
from stexplain.training.schedules import make_optimizer, rate_at
from stexplain.training.state import Epoch, TrainingState, load_state, save_state
from stexplain.training.tasks import Task, Validation

if TYPE_CHECKING:
    from lightning_fabric import Fabric

ORDER, AUGMENTATION, DROPOUT = 1, 2, 3
"""The first entries of the seeds, so that the three never draw the same numbers."""
log = logging.getLogger("stexplain.training")


@dataclass(frozen=True)
class Job:
    """The training that each process runs.

    Attributes:
        model: to train.
        task: the loss and the data.
        recipe: the training recipe.
        path: of the checkpoint, or none.
        seed: of everything random.
        progress: show the progress on standard error: a bar on a terminal, else a line now and then.
        save_every: seconds between checkpoints within an epoch.
        fingerprint: what distinguishes this training from others, as JSON.
        share_statistics: whether batch statistics are over the shares of all processes.
    """

    model: nn.Module
    task: Task
    recipe: Recipe
    path: Path | None
    seed: int
    progress: bool
    save_every: float
    fingerprint: dict[str, Any]
    share_statistics: bool = False

    @property
    def steps(self) -> int:
        """Steps of one epoch, ceil(n / batch)."""
        return -(-len(self.task) // self.recipe.batch)


def train_all(fabric: "Fabric", job: Job) -> TrainingState:
    """Trains until the recipe's last epoch or until patience ends, from the checkpoint if there is one.

    Args:
        fabric: launched.
        job: its model is trained in place and ends with the weights of the last epoch.
    """
    model, recipe = job.model, job.recipe
    wrapped, optimizer = fabric.setup(model, make_optimizer(recipe, model.parameters()))
    state, kept = TrainingState(), kept_in_eval(model)
    if job.path and job.path.is_file():
        state = load_state(job.path, model, optimizer, job.fingerprint)
        if len(state.epochs) < recipe.epochs and not state.stopped:
            log.info("resuming from %s at epoch %d, step %d", job.path, len(state.epochs) + 1, state.step + 1)
    # Dropout seeds the global generators: a fork gives the caller's state back afterwards.
    cuda = [fabric.device.index or 0] if fabric.device.type == "cuda" else []
    sharing = shared_statistics(model) if job.share_statistics and fabric.world_size > 1 else nullcontext()
    with torch.random.fork_rng(cuda), sharing, _Bar(job, state, job.progress and fabric.is_global_zero) as bar:
        while len(state.epochs) < recipe.epochs and not state.stopped:
            to_train_mode(wrapped, kept)
            _train_epoch(fabric, job, wrapped, optimizer, state, bar)
            _finish_epoch(fabric, job, optimizer, state)
            if fabric.is_global_zero:
                bar.epoch(state.epochs[-1])
    return state


class Spawned:
    """`train_all` for a spawned process: trains a copy of the model, whose memory all processes share."""

    def __init__(self, job: Job) -> None:
        self.job = job

    def __call__(self, fabric: "Fabric") -> None:
        """Trains; the result is in the checkpoint."""
        train_all(fabric, replace(self.job, model=copy.deepcopy(self.job.model)))
        # Else a process may end while another still listens to it, which kills that one.
        fabric.barrier()
        leave()


def leave() -> None:
    """Ends this process's part in a group that trained together, if it still has one."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def selected(model: nn.Module, state: TrainingState, recipe: Recipe) -> int:
    """Gives the model the weights of the epoch that the recipe selects, and returns that epoch (from 1)."""
    if recipe.select == "best" and state.best is not None and state.best_weights is not None:
        model.load_state_dict(state.best_weights)
        return state.best
    return len(state.epochs)


def _train_epoch(
    fabric: "Fabric",
    job: Job,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: TrainingState,
    bar: "_Bar",
) -> None:
    """Runs the remaining steps of one epoch."""
    epoch, recipe = len(state.epochs), job.recipe
    began = saved = time.perf_counter()
    # A resumed epoch goes on from the time that it took before.
    before = state.seconds
    for batch in _batches(job, epoch, state.step, fabric.global_rank, fabric.world_size):
        rate = rate_at(recipe, epoch * job.steps + state.step, job.steps)
        # Set afresh at every step: there is no scheduler whose state a checkpoint would have to hold.
        for group in optimizer.param_groups:
            group["lr"] = rate
        # Seeded by the step, so that a resumed run draws the same dropout; by the rank, so that processes
        # draw different ones.
        torch.manual_seed(_seed(DROPOUT, job.seed, epoch, state.step, fabric.global_rank))
        batch = batch.to(fabric.device)
        step = job.task.step(model, batch)
        loss, count, correct = step.loss, step.count, step.correct
        # Every process gets the sums of all, so that all of them see a broken loss and stop.
        parts = [loss.detach() * count, count, torch.zeros_like(count) if correct is None else correct]
        sums = torch.stack([*parts, torch.full_like(count, len(batch))]).double()
        sums = cast(torch.Tensor, fabric.all_reduce(sums, reduce_op="sum"))
        total, counted, correct_count, samples = sums.tolist()
        if not np.isfinite(total):
            # Before the optimizer's step: the weights, and the last checkpoint, are not broken yet.
            raise _broken("the loss is", epoch, state.step, job, rate)
        optimizer.zero_grad()
        # DDP averages the gradients over processes: these weights turn that average into the mean over the whole batch,
        # whatever the sizes of the shares, and even if few targets are observed in one of them.
        fabric.backward(loss * (count * fabric.world_size / max(counted, 1)))
        if recipe.clip_norm is not None:
            fabric.clip_gradients(model, optimizer, max_norm=recipe.clip_norm)
        optimizer.step()
        state.step += 1
        state.loss, state.count, state.samples = (
            state.loss + total,
            state.count + int(counted),
            state.samples + int(samples),
        )
        state.correct = None if correct is None else (state.correct or 0) + int(correct_count)
        now = time.perf_counter()
        state.seconds = before + now - began
        bar.step(state)
        # After the last step the finished epoch is saved, with its validation.
        if job.path and fabric.is_global_zero and state.step < job.steps and now - saved >= job.save_every:
            save_state(job.path, state, job.model, optimizer, job.fingerprint)
            saved = now


def _finish_epoch(fabric: "Fabric", job: Job, optimizer: torch.optim.Optimizer, state: TrainingState) -> None:
    """Validates, and records the epoch."""
    epoch, recipe = len(state.epochs), job.recipe
    rate = rate_at(recipe, (epoch + 1) * job.steps - 1, job.steps)
    # The losses do not show whether the last step broke the weights.
    if not all(bool(torch.isfinite(tensor).all()) for tensor in job.model.parameters()):
        raise _broken("a weight is", epoch, job.steps - 1, job, rate)
    if not state.count:
        raise DataError("train: got no observed target; expected at least one. Is `missing` right, or the split?")
    began = time.perf_counter()
    # Running statistics are per process, and those of the first are saved: all go on from them.
    if fabric.world_size > 1:
        for buffer in job.model.buffers():
            torch.distributed.broadcast(buffer, 0)
    # By one process, as it takes all samples.
    validation: Validation | None = job.task.validate(job.model) if fabric.is_global_zero else None
    # To all processes, which must agree on when patience ends.
    validation = fabric.broadcast(validation)
    record = Epoch(
        epoch=epoch + 1,
        loss=state.mean_loss,
        accuracy=state.accuracy,
        validation_loss=None if validation is None else validation.loss,
        validation_accuracy=None if validation is None else validation.accuracy,
        rate=rate,
        seconds=state.seconds + time.perf_counter() - began,
        samples_per_second=state.samples / state.seconds,
    )
    if state.finish_epoch(record, recipe.patience, job.task.score) and recipe.select == "best":
        # Copies, as training goes on in the same tensors.
        state.best_weights = {name: value.detach().clone() for name, value in job.model.state_dict().items()}
    if job.path and fabric.is_global_zero:
        save_state(job.path, state, job.model, optimizer, job.fingerprint)


def _batches(job: Job, epoch: int, done: int, rank: int, processes: int) -> Iterator[Batch]:
    """One process's shares of an epoch's remaining batches; a thread prepares the next one in the background."""
    order = np.random.default_rng([ORDER, job.seed, epoch]).permutation(len(job.task))
    # Sizes differ by at most one: a last batch of few samples would give a gradient of much noise.
    parts = np.array_split(order, job.steps)

    def prepared(step: int) -> Batch:
        generator = np.random.default_rng([AUGMENTATION, job.seed, epoch, step, rank])
        return job.task.batch(_share(parts[step], rank, processes), generator)

    # A batch from memory takes 1% of a step, but one from a cold disk, or for a GPU, takes longer.
    with ThreadPoolExecutor(1, "batches") as thread:
        upcoming = thread.submit(prepared, done) if done < job.steps else None
        for step in settled(range(done, job.steps)):
            batch = upcoming.result() if upcoming else prepared(step)
            upcoming = thread.submit(prepared, step + 1) if step + 1 < job.steps else None
            yield batch


def _share(indices: NDArray[np.int64], rank: int, processes: int) -> NDArray[np.int64]:
    """A process's share of a batch: every sample is in one, and sizes differ by at most one.

    Example:
        >>> [_share(np.array([7, 8, 9]), rank, 2).tolist() for rank in (0, 1)]
        [[7, 9], [8]]
    """
    return indices[rank::processes]


def _seed(*numbers: int) -> int:
    """One seed from several numbers, for generators that take a single one."""
    # Shifted by one bit: torch takes signed 64-bit seeds.
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))


def _broken(what: str, epoch: int, step: int, job: Job, rate: float) -> DataError:
    return DataError(
        f"{what} NaN or infinite in epoch {epoch + 1}, step {step + 1} of {job.steps}, at rate {rate:.3g}. "
        f"Train at a lower rate than {job.recipe.rate:g}, or set clip_norm in the recipe"
        + (f"; {job.path} holds the state before that." if job.path and job.path.is_file() else ".")
    )


class _Bar:
    """The progress, and a line in the log for each epoch."""

    def __init__(self, job: Job, state: TrainingState, enabled: bool) -> None:
        self.epochs, self.steps, self.task = job.recipe.epochs, job.steps, job.task
        done = len(state.epochs) * self.steps + state.step
        # Its rate is in samples, which does not depend on the size of a batch.
        self.progress = Progress("training", self.epochs * self.steps, shown=enabled, completed=done, rate=False)

    def __enter__(self) -> "_Bar":
        self.progress.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.__exit__()

    def step(self, state: TrainingState) -> None:
        """Shows the progress of the running epoch."""
        epoch = len(state.epochs)
        self.progress.update(
            epoch * self.steps + state.step,
            what=f"epoch {epoch + 1}/{self.epochs}",
            note=", ".join(
                [*self.task.summary(state.mean_loss, state.accuracy), f"{state.samples / state.seconds:.0f} samples/s"]
            ),
        )

    def epoch(self, record: Epoch) -> None:
        """Logs an epoch."""
        validation = None
        if record.validation_loss is not None:
            validation = Validation(record.validation_loss, record.validation_accuracy)
        log.info(
            "epoch %d/%d: %s, rate %.3g, %.1f s, %.0f samples/s",
            record.epoch,
            self.epochs,
            ", ".join(self.task.summary(record.loss, record.accuracy, validation)),
            record.rate,
            record.seconds,
            record.samples_per_second,
        )
