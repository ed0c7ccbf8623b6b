"""Settings shared by calibration and bot, and the JSON files exchanged between them.

`history.CalibrationHistory` is imported from its own module, so that readers of the newest
parameters do not load pyarrow.
"""

from advanced_mm.parameter_files.config import environment_overrides, load_config
from advanced_mm.parameter_files.entries import (
    EpsilonEntry,
    FairPriceEntry,
    KappaEntry,
    LambdaEntry,
    ParameterEntry,
    Status,
    ValueFunctionEntry,
)
from advanced_mm.parameter_files.files import (
    MissingParametersError,
    MixedParametersError,
    ParameterFileError,
    ParameterFiles,
    ParameterSet,
    UnusableParametersError,
    write_json_atomically,
)
from advanced_mm.parameter_files.problem import (
    configuration_of,
    counted_age,
    model_problem,
    published_solution,
    quote_age,
    same_problem,
    value_function_fields,
    with_measured_age,
    with_value_function,
)
from advanced_mm.parameter_files.settings import (
    EpsilonSource,
    FairPrice,
    InventoryMode,
    Leg,
    PolicyChoice,
    Settings,
    load_settings,
)

__all__ = [
    "EpsilonEntry",
    "EpsilonSource",
    "FairPrice",
    "FairPriceEntry",
    "InventoryMode",
    "KappaEntry",
    "LambdaEntry",
    "Leg",
    "MissingParametersError",
    "MixedParametersError",
    "ParameterEntry",
    "ParameterFileError",
    "ParameterFiles",
    "ParameterSet",
    "PolicyChoice",
    "Settings",
    "Status",
    "UnusableParametersError",
    "ValueFunctionEntry",
    "configuration_of",
    "counted_age",
    "environment_overrides",
    "load_config",
    "load_settings",
    "model_problem",
    "published_solution",
    "quote_age",
    "same_problem",
    "value_function_fields",
    "with_measured_age",
    "with_value_function",
    "write_json_atomically",
]
