"""Starts a worker: `python -m appliance.engine.worker CHANNEL_FD WEIGHTS_FD PARENT_PID`.

Order, which is the point of this file: import everything; take the configuration; give up all
rights; only then read the weights, which may be hostile. Exit status 0 after `Drain` or when the
gateway closes the channel; anything else is a crash to the supervisor. Nothing is ever printed.
"""

import datetime
import gc
import sys

from appliance.engine.wire import Configure, Loaded, LoadFailed, WireError
from appliance.engine.worker.binding import llama
from appliance.engine.worker.channel import Channel, ChannelClosedError
from appliance.engine.worker.intake import Intake
from appliance.engine.worker.lockdown import (
    Lockdown,
    die_with_parent,
    lock_down,
    offer_to_oom_killer,
)
from appliance.engine.worker.loop import DecodeError, StepLoop
from appliance.engine.worker.memory import available_bytes
from appliance.engine.worker.model import LoadError, Model, load
from appliance.engine.worker.pace import Pace
from appliance.engine.worker.preload import preload
from appliance.engine.worker.scheduler import Limits, Scheduler
from appliance.engine.worker.template import ChatTemplate, TemplateUnusableError

EXIT_DONE = 0
EXIT_LOAD_FAILED = 64
EXIT_COMPUTATION_FAILED = 70
EXIT_BABBLE = 76


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def _template(model: Model) -> ChatTemplate | None:
    if not model.template_source:
        return None
    vocabulary = model.vocabulary
    variables = {
        # A beginning that tokenization adds anyway must not come from the template as well.
        "bos_token": vocabulary.text_of(vocabulary.bos),
        "eos_token": vocabulary.text_of(vocabulary.eos),
    }
    try:
        return ChatTemplate(model.template_source, vocabulary.control, variables, _now)
    except TemplateUnusableError:
        return None


def _loaded(model: Model, template: ChatTemplate | None, lockdown: Lockdown) -> Loaded:
    geometry = model.geometry
    return Loaded(
        context_tokens=geometry.slot_tokens,
        cells=geometry.cells,
        vocabulary=model.vocabulary.names,
        template_digest=template.digest if template is not None else "",
        parameters=model.parameters,
        architecture=model.architecture,
        weights_bytes=model.weights_bytes,
        state_bytes=model.state_bytes,
        threads=geometry.threads,
        restrictions=lockdown.held,
        unrestricted=lockdown.refused,
    )


def serve(channel: Channel, weights: int) -> int:
    """Load and serve; returns the exit status."""
    configure = None
    while configure is None:
        for message in channel.receive(wait=True):
            if not isinstance(message, Configure):
                return EXIT_BABBLE
            configure = message
    preload()
    available = available_bytes()
    lockdown = lock_down()
    try:
        model = load(weights, configure, available)
    except LoadError as error:
        channel.send(LoadFailed(message=str(error)))
        return EXIT_LOAD_FAILED
    template = _template(model)
    geometry = model.geometry
    limits = Limits(
        slots=geometry.slots,
        slot_tokens=geometry.slot_tokens,
        cells=geometry.cells,
        batch_tokens=geometry.batch_tokens,
        queue_limit=configure.queue_limit,
        tile=geometry.tile,
    )
    loop = StepLoop(
        channel,
        Intake(model.vocabulary, template, geometry.slot_tokens),
        Scheduler(limits, sharing=configure.prefix_cache),
        model.decoder,
        Pace(geometry.tile),
    )
    channel.send(_loaded(model, template, lockdown))
    # What exists now lives as long as the worker; the token path makes no reference cycles.
    gc.collect()
    gc.freeze()
    loop.run()
    return EXIT_DONE


def main(arguments: list[str]) -> int:
    """Run a worker on inherited descriptors."""
    channel_descriptor, weights_descriptor, parent = map(int, arguments)
    die_with_parent(parent)
    offer_to_oom_killer()
    llama.llama_backend_init()
    channel = Channel(channel_descriptor)
    try:
        return serve(channel, weights_descriptor)
    except ChannelClosedError:
        return EXIT_DONE
    except WireError:
        return EXIT_BABBLE
    except DecodeError:
        return EXIT_COMPUTATION_FAILED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
