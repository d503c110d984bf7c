"""CASES.md names tests that exist, in order, and leaves no known case out."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
# As they were met on other tools (C) and on the first release (D).
KNOWN = [
    *(
        f"C{number:02}"
        for number in (*range(1, 9), *range(10, 17), *range(18, 24), *range(25, 28), *range(29, 36))
    ),
    *(
        "C37",
        "C38",
        "C39",
        "C41",
        "C42",
        "C44",
        "C45",
        "C46",
        "C47",
        "C48",
        "C50",
        "C51",
        "C53",
        "C55",
        "C58",
        "C59",
    ),
    "C61",
]


def rows() -> list[list[str]]:
    table = (TESTS / "CASES.md").read_text(encoding="utf-8").partition("|---|---|---|\n")[2]
    return [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("|")]


def test_every_row_names_tests_that_exist() -> None:
    for case, tests, _ in rows():
        named = re.findall(r"`([^`]+)`", tests)
        file = ""
        for name in named:
            if name.endswith(".py"):
                file = (TESTS / name).read_text(encoding="utf-8")
            else:
                assert f"def {name}(" in file, f"{case}: {name}"


def test_cases_are_in_order_and_none_that_is_known_is_left_out() -> None:
    numbers = [re.match(r"([A-Z]\d+)", row[0]).group(1) for row in rows()]  # type: ignore[union-attr]
    assert numbers == sorted(numbers, key=lambda number: (number[0], int(number[1:])))
    assert set(KNOWN) <= set(numbers)
