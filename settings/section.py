"""What every section of `config.yaml` is made of: a base that refuses unknown keys, and values checked strictly."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


class Section(BaseModel):
    """Base of every section: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _not_a_number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("write a number, without quotes")  # noqa: TRY004 - pydantic turns ValueError into the message
    return value


def _switch(value: object) -> object:
    if isinstance(value, bool):
        return value
    raise ValueError(_true_or_false(value) or "write true or false")


def auto_or_switch(value: object) -> object:
    """Let through auto, true and false; raise ValueError saying what to write otherwise."""
    if isinstance(value, bool) or value == "auto":
        return value
    raise ValueError(_true_or_false(value) or "write auto, true or false")


def auto_or_count(value: object) -> object:
    """Let through auto and counting numbers."""
    if value == "auto" or (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
        return value
    raise ValueError("write auto, or a whole number from 1 on")


def _true_or_false(value: object) -> str | None:
    """Return what to write instead of a word that other formats take for a switch; here it would be a word."""
    meant = {"no": "false", "off": "false", "0": "false", "yes": "true", "on": "true", "1": "true"}
    meant |= {"false": "false", "true": "true"}
    found = meant.get(str(value).lower())
    return f"write {found}" + (", without quotes" if str(value).lower() == found else "") if found else None


Switch = Annotated[bool, BeforeValidator(_switch)]
Seconds = Annotated[float, BeforeValidator(_not_a_number), Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, BeforeValidator(_not_a_number), Field(ge=1)]
