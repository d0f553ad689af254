"""The ledger's tables. Plain columns: any SQL tool reads them.

`samples` has one row for each sample ever paid for. `models`, `trainings` and
`files` hold what else a replay needs: tokenizers, and the outcomes of training runs.
`claims` (leases on samples) and `owners` (processes that hold leases) are empty
unless somebody is sampling. Times are UTC and written like 2026-03-01T10:20:30Z.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

TABLES = MetaData()

samples = Table(
    "samples",
    TABLES,
    Column("key", Text, primary_key=True),  # digest of model … sample
    Column("model", Text, nullable=False),  # identity: weights, precision, adapter
    Column("prompt", Text, nullable=False),  # as rendered
    Column("settings", Text, nullable=False),  # how it was sampled, as JSON
    Column("seed", BigInteger, nullable=False),  # names rng_seed, label and sample
    Column("sample", Integer, nullable=False),  # its index among the prompt's
    Column("text", Text, nullable=False),  # the completion
    Column("tokens", Integer, nullable=False),
    Column("finish", Text, nullable=False),  # stop, length, or why there is none
    Column("logprob", Double),  # mean log-probability of its tokens
    Column("cost", Double),  # money
    # Since the sample before it: they add up to the time that sampling took.
    Column("seconds", Double, nullable=False),
    Column("created_at", Text, nullable=False),
)

models = Table(
    "models",
    TABLES,
    Column("identity", Text, primary_key=True),  # as in samples.model
    Column("name", Text, nullable=False),  # as in study files
    Column("weights", Text),  # identity of its folder, without the precision
    Column("stops", Text),  # ids of the tokens that end a turn, as JSON
    Column("files", Text),  # key in files: configuration and tokenizer
    Column("used_at", Text, nullable=False),
)

trainings = Table(
    "trainings",
    TABLES,
    Column("key", Text, primary_key=True),  # digest of model … rows
    Column("model", Text, nullable=False),  # identity of the model that was trained
    Column("name", Text, nullable=False),  # of the adapter
    Column("recipe", Text, nullable=False),  # as JSON
    Column("rng_seed", BigInteger, nullable=False),
    Column("rows", Text, nullable=False),  # digest of the encoded rows
    Column("adapter", Text, nullable=False),  # identity of the trained adapter
    Column("weights", Text, nullable=False),  # its weight files' digests, as JSON
    Column("files", Text, nullable=False),  # key in files: its small files
    Column("trained", Text, nullable=False),  # losses and counts, as JSON
    Column("created_at", Text, nullable=False),
)

files = Table(
    "files",
    TABLES,
    Column("key", Text, primary_key=True),  # digest of the data
    Column("data", LargeBinary, nullable=False),  # a gzipped tar archive
)

leases = Table(
    "claims",
    TABLES,
    Column("key", Text, primary_key=True),  # of a sample that its holder is paying for
    Column("owner", Text, nullable=False),
)

lease_holders = Table(
    "owners",
    TABLES,
    Column("owner", Text, primary_key=True),  # one draw of one process
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("born", Double, nullable=False),  # when the process started
    Column("until", Double, nullable=False),  # the lease ends then, by the database
)
