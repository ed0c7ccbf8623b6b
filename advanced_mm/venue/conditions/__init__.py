"""The conditions a venue runs under: limits, faults, scenarios, its opening and saved state."""

from advanced_mm.venue.conditions.faults import Fault
from advanced_mm.venue.conditions.gateway import Gateway
from advanced_mm.venue.conditions.limits import LimitSwitches
from advanced_mm.venue.conditions.opening import OpenVenue, VenueOptions, open_venue
from advanced_mm.venue.conditions.saved_state import load_state, restore, save_state
from advanced_mm.venue.conditions.scenario import Scenario, load_scenario

__all__ = [
    "Fault",
    "Gateway",
    "LimitSwitches",
    "OpenVenue",
    "Scenario",
    "VenueOptions",
    "load_scenario",
    "load_state",
    "open_venue",
    "restore",
    "save_state",
]
