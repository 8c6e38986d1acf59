# SPDX-License-Identifier: Apache-2.0
"""Puts the commands together."""

from __future__ import annotations

import typer

from clara_fastio.cli import connection, doctor, fastio, run, serve, validate, verbs, version

app = typer.Typer(
    name="clara",
    help="Run pipelines of operators that share memory on one machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain help reads the same in a terminal, in a pipe and in the documentation.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.callback()(connection.take_global_options)
app.command()(run.run)
app.command()(validate.validate)
app.command()(serve.serve)
app.add_typer(fastio.app, name="fastio")
app.command()(doctor.doctor)
app.command()(version.version)
verbs.add_verbs(app)
