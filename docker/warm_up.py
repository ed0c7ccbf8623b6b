"""Precompile the modules that the services import; run while the image is built.

Bytecode of all installed packages would take 200 MB; without any, each start takes ten seconds
longer. So the image keeps the bytecode of the modules imported here. A package broken by the
image's slimming fails the build with an ImportError.
"""

import importlib
import pkgutil

import advanced_mm
from advanced_mm.model.__main__ import main as compile_solvers

FREQTRADE = (  # imported by its commands at run time
    "freqtrade.main",
    "freqtrade.worker",
    "freqtrade.exchange.hyperliquid",
    "freqtrade.plugins.pairlistmanager",
    "freqtrade.resolvers",
    "freqtrade.rpc.rpc_manager",
    "freqtrade.rpc.api_server.webserver",
    "freqtrade.rpc.telegram",
    "freqtrade.optimize.backtesting",
    "freqtrade.optimize.hyperopt",
    "freqtrade.commands.data_commands",
)
ON_DEMAND = ("matplotlib.backends.backend_agg", "matplotlib.pyplot", "scipy.stats", "sklearn")

ours = [
    module.name
    for module in pkgutil.walk_packages(advanced_mm.__path__, "advanced_mm.")
    if not module.name.endswith("__main__")
]
for name in (*FREQTRADE, *ON_DEMAND, "supervisor.supervisord", *ours):
    importlib.import_module(name)
compile_solvers()
