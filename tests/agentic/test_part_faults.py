"""What a part of the operator's own breaks becomes a sentence in the record; it ends nothing else."""

from __future__ import annotations

import pytest

from agentic.registry import call


@pytest.mark.parametrize("fault", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), StopIteration(1)])
async def test_a_plain_part_that_wants_to_end_the_program_is_a_part_that_failed(fault):
    def part():
        raise fault

    with pytest.raises(RuntimeError, match=type(fault).__name__):
        await call(part)


@pytest.mark.parametrize("fault", [SystemExit(3), KeyboardInterrupt()])
async def test_a_coroutine_that_wants_to_end_the_program_is_a_part_that_failed(fault):
    async def part():
        raise fault

    with pytest.raises(RuntimeError, match=type(fault).__name__):
        await call(part)
    with pytest.raises(RuntimeError, match=type(fault).__name__):
        await call(lambda: part())
