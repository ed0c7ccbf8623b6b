"""Optimal market making after Cartea and Jaimungal: parameters, value function, depths."""

from advanced_mm.model.parameters import ModelParameters
from advanced_mm.model.policy import DepthPolicy, optimal_policy
from advanced_mm.model.risk_aversion import risk_aversion_to_phi
from advanced_mm.model.simulate import Simulation, simulate
from advanced_mm.model.solve import solve
from advanced_mm.model.value_function import ValueFunction

__all__ = [
    "DepthPolicy",
    "ModelParameters",
    "Simulation",
    "ValueFunction",
    "optimal_policy",
    "risk_aversion_to_phi",
    "simulate",
    "solve",
]
