"""What programs say when they die, in the manner of their stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

from services.rehearsal.estate import vocabulary

if TYPE_CHECKING:
    import random


def crash(stack: str, rng: random.Random) -> list[str]:
    """Return the last lines of a program that cannot start; the very last one tells why."""
    column, table = rng.choice(vocabulary.COLUMNS), f"{rng.choice(vocabulary.NOUNS)}s"
    variable, store = rng.choice(vocabulary.VARIABLES), rng.choice(vocabulary.STORES)
    number = rng.randint(12, 480)
    if stack == "python":
        return _python(rng, number, column, table, variable)
    if stack == "java":
        return _java(rng, number, column, table, store)
    if stack == "go":
        return _go(rng, number, variable, store)
    return _node(rng, number, variable, store)


def _python(rng: random.Random, number: int, column: str, table: str, variable: str) -> list[str]:
    error = rng.choice(
        (
            f"sqlite3.OperationalError: no such column: {column}",
            f'psycopg.errors.UndefinedColumn: column "{column}" of relation "{table}" does not exist',
            f"KeyError: '{variable}'",
        )
    )
    return [
        "Traceback (most recent call last):",
        '  File "/app/main.py", line 41, in <module>',
        "    application = create_application(settings)",
        f'  File "/app/{table}/store.py", line {number}, in create_application',
        f"    store.load({table!r})",
        f'  File "/app/{table}/store.py", line {number + 37}, in load',
        "    return self._connection.execute(query).fetchall()",
        error,
    ]


def _java(rng: random.Random, number: int, column: str, table: str, store: str) -> list[str]:
    error = rng.choice(
        (
            f"Caused by: org.flywaydb.core.api.FlywayException: Validate failed: checksum mismatch, V{number}",
            f'Caused by: java.sql.SQLSyntaxErrorException: Unknown column "{column}" in table "{table}"',
            f"Caused by: java.net.UnknownHostException: {store}.internal",
        )
    )
    return [
        "org.springframework.beans.factory.BeanCreationException: Error creating bean with name 'entityManagerFactory'",
        f"\tat org.springframework.beans.factory.BeanFactory.doGetBean(BeanFactory.java:{number})",
        f"\tat com.example.{table}.Application.main(Application.java:23)",
        "\t... 31 common frames omitted",
        error,
    ]


def _go(rng: random.Random, number: int, variable: str, store: str) -> list[str]:
    error = rng.choice(
        (
            f"panic: required environment variable {variable} is not set",
            f"fatal: connect {store}: dial tcp: lookup {store}.internal: no such host",
            f'panic: config: unknown field "{variable.lower()}" on line {number}',
        )
    )
    return [
        "goroutine 1 [running]:",
        f"main.mustLoad(0x{number:x}00, 0x1c)",
        f"\t/src/cmd/server/main.go:{number} +0x1a4",
        "main.main()",
        "\t/src/cmd/server/main.go:38 +0x65",
        error,
    ]


def _node(rng: random.Random, number: int, variable: str, store: str) -> list[str]:
    error = rng.choice(
        (
            f"Error: missing configuration: {variable}",
            f"Error: connect ECONNREFUSED {store}.internal:{5000 + number}",
            f"TypeError: Cannot read properties of undefined (reading '{variable.lower()}')",
        )
    )
    return [
        f"/app/dist/server.js:{number}",
        "    throw error;",
        f"    at bootstrap (/app/dist/server.js:{number}:11)",
        "    at Module._compile (node:internal/modules/cjs/loader:1554:14)",
        "Node.js v24.4.1",
        error,
    ]
