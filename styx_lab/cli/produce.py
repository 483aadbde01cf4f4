"""`styx produce`: a recording, written to a topic again."""

from __future__ import annotations

from pathlib import Path

import click

from styx_lab.cli.options import Amount, debug_option, epilog, json_option
from styx_lab.cli.output import live_line, print_json, print_line

__all__ = ["produce"]


@click.command(
    epilog=epilog(
        "styx produce sample_data/payments.recording.parquet payments",
        when="with a broker that runs: `styx cluster up kafka`",
        exits="0; 65 or 66 when the recording is no good or not there; 69 the extra kafka is not installed; 70 the "
        "broker cannot be reached; 73 it does not take an event.",
    )
)
@click.argument("recording", type=click.Path(path_type=Path))
@click.argument("topic")
@click.option("--speed", type=Amount(), metavar="N", help="1 as it came, 10 ten times as fast; else at full speed.")
@click.option("--profile", metavar="NAME", help="How to reach the cluster: a profile of kafka.toml.")
@click.option("--brokers", metavar="HOST:PORT", help="Where it is, in place of what the profile says.")
@json_option
@debug_option
def produce(
    recording: Path, topic: str, speed: float | None, profile: str | None, brokers: str | None, as_json: bool
) -> None:
    """Write a recording to a topic of Kafka again.

    Each event as it was: partition, key, headers, timestamp. The topic is made where it is not there.
    """
    from styx_lab.workbench.producing import produce as run
    from styx_lab.workbench.signals import StopOnSignal

    with StopOnSignal() as signals, live_line(f"Writing {recording} to topic {topic}") as say:
        made = run(
            recording,
            topic,
            profile=profile,
            brokers=brokers,
            speed=speed,
            stop=signals.stop,
            progress=lambda events: say(f"{events:,} events"),
        )
    if as_json:
        print_json(made)
    else:
        print_line(f"{made.events:,} events are in topic {made.topic}, which has {made.partitions} partitions")
