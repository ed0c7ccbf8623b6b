"""What is missing or wrong in a set-up, each with what to do; a module for each check."""

from advanced_mm.doctor.examine import Asked, examine
from advanced_mm.doctor.lines import Line, exit_code
from advanced_mm.doctor.patient import Machine

__all__ = ["Asked", "Line", "Machine", "examine", "exit_code"]
