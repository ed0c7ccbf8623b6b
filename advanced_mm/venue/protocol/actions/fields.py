"""Wire fields in the canonical form in which the venue hashes them.

The venue recomputes the hash a client signed from its own reading of the action: numbers without
trailing zeros, addresses and client order ids in lower case. If a client signs another spelling,
a different address is recovered, and the reply says that this wallet does not exist.
"""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from advanced_mm.venue.protocol.actions.signing import Address, plain_address

__all__ = [
    "Asset",
    "ChainId",
    "Cloid",
    "DecimalText",
    "Form",
    "OrderId",
    "PlainAddress",
    "TimeMs",
    "canonical",
    "plain_decimal",
]


def plain_decimal(text: str) -> str:
    """Return a decimal as the venue writes it: "2900.50" → "2900.5", "1.0" → "1", "007" → "7"."""
    whole, _, fraction = text.partition(".")
    whole, fraction = whole.lstrip("0") or "0", fraction.rstrip("0")
    return f"{whole}.{fraction}" if fraction else whole


Cloid = Annotated[
    str, StringConstraints(pattern=r"^0[xX][0-9a-fA-F]{32}$"), AfterValidator(str.lower)
]
DecimalText = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?$", max_length=40),
    AfterValidator(plain_decimal),
]
PlainAddress = Annotated[Address, AfterValidator(plain_address)]
ChainId = Annotated[str, StringConstraints(pattern=r"^0x[0-9a-fA-F]{1,16}$")]
Asset = Annotated[int, Field(ge=0, lt=2**32)]
OrderId = Annotated[int, Field(ge=0, lt=2**64)]
TimeMs = Annotated[int, Field(ge=0, lt=2**63)]


class Form(BaseModel):
    """A wire form with strict JSON types; unknown fields are dropped, as on Hyperliquid.

    Fields are hashed in the order in which they are declared.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", strict=True)


def canonical(form: Form) -> dict[str, object]:
    """Return the form as it is hashed: fields in order, without optional ones that are null."""
    return {
        name: _plain(value)
        for name, field in type(form).model_fields.items()
        if (value := getattr(form, name)) is not None or field.is_required()
    }


def _plain(value: object) -> object:
    if isinstance(value, Form):
        return canonical(value)
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value
